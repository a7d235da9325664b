import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Tokens } from '../tokens.js';
import { authorize } from './authorize.js';
import type { Realtime } from './realtime.js';

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

interface Message {
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  readonly private?: boolean;
}

/**
 * Broadcasts over HTTP: one message as the body of `/api/broadcast/<topic>/events/<event>`, or several in
 * `/api/broadcast`.
 */
export function createBroadcastApi(realtime: Realtime, tokens: Tokens) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [, topic, event] = /\/api\/broadcast\/([^/]+)\/events\/([^/]+)$/.exec(url.pathname) ?? [];
    const body = await readAll(request);
    const bearer = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const key = bearer ?? request.headers.apikey ?? url.searchParams.get('apikey') ?? '';
    if (!(await authorize(tokens, String(key))).ok) {
      response.writeHead(401).end('{"message":"Unauthorized"}');
      return;
    }
    if (topic !== undefined && event !== undefined) {
      const json = (request.headers['content-type'] ?? '').startsWith('application/json');
      const [where, name] = [topic, event].map(decodeURIComponent);
      const payload = json ? body.toString('utf8') : body;
      realtime.broadcast(
        { topic: `realtime:${where}`, event: name ?? '', payload },
        url.searchParams.get('private') === 'true',
      );
    } else {
      const { messages = [] } = JSON.parse(body.toString('utf8')) as { messages?: readonly Message[] };
      for (const { topic, event, payload, private: isPrivate = false } of messages)
        realtime.broadcast({ topic: `realtime:${topic}`, event, payload: JSON.stringify(payload) }, isPrivate);
    }
    response.writeHead(202).end();
  };
}
