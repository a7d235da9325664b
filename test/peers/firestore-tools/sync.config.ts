/** A configuration with a signed-in user, as an app has it; the tests say where the emulator is. */
import { initializeApp } from 'firebase/app';
import { connectFirestoreEmulator, getFirestore } from 'firebase/firestore';
import { collections, tables } from './tables.js';

const { PROJECT: projectId = '', EMULATOR_PORT = '0' } = process.env;
const firestore = getFirestore(initializeApp({ projectId, apiKey: 'none' }));
connectFirestoreEmulator(firestore, '127.0.0.1', Number(EMULATOR_PORT), { mockUserToken: { sub: 'u1' } });

export default { transport: { type: 'firestore', firestore, ...tables }, collections };
