export { type MemoryBackend, type MemoryRecord, memoryBackend } from './memory-backend.js';
export { type MemoryTransportOptions, type MemoryWire, memoryTransport } from './memory-transport.js';
