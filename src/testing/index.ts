export {
  describeTransport,
  type TestRunner,
  type TransportScenario,
  transportScenarios,
} from './conformance/describe-transport.js';
export type {
  ConformanceAuth,
  ConformanceBackend,
  ConformanceOptions,
  ConformancePermissions,
  ConformanceRow,
} from './conformance/options.js';
export { type Faults, type StepDetail, type TransportStep, withFaults } from './faults.js';
export { type MemoryBackend, type MemoryRecord, memoryBackend } from './memory-backend.js';
export { type MemoryTransportOptions, type MemoryWire, memoryTransport } from './memory-transport.js';
export { createPeerProcess, type PeerProcess, type PeerProcessOptions } from './node/peer-process.js';
export {
  createTcpProxy,
  type TcpConditions,
  type TcpDirection,
  type TcpProxy,
  type TcpProxyOptions,
} from './tcp-proxy.js';
