import type { PullRequest, RestPage, TransportHost } from '../../src/adapter-kit/kit.js';
import type { SeqCursor } from './cursor.js';
import { problem } from './errors.js';
import { checkReply, type Http, pathOf, recordsOf } from './http.js';
import { type Answer, type CountedPage, toPage } from './normalize.js';
import type { Frame } from './writes.js';

/**
 * Most of one request's body, in bytes. A server that refuses a larger one may cut it off, and then its refusal is lost:
 * ours reads up to 16 times its limit before it does.
 */
const MAX_BODY = 262_144;

/** As many frames as fit into a body, at least one. */
function take(frames: readonly Frame[]): readonly Frame[] {
  let size = 0;
  const end = frames.findIndex((frame) => {
    size += frame.size + 1;
    return size > MAX_BODY;
  });
  return end === -1 ? frames : frames.slice(0, Math.max(1, end));
}

/** The HTTP half of a server that counts changes: for polling, and while the socket is down. */
export function createRest(http: Http, host: () => TransportHost) {
  async function post(frames: readonly Frame[], signal: AbortSignal): Promise<Answer[]> {
    const body = `{"changes":[${frames.map(({ text }) => text).join(',')}]}`;
    const reply = await http({ method: 'POST', path: '', signal, body });
    checkReply(reply.where, reply);
    const { status, where, body: answer, reason } = reply;
    if (status < 400 && Array.isArray(answer.results) && answer.results.length === frames.length) return answer.results;
    throw problem(
      'PROTOCOL_VIOLATION',
      `${where} answered ${status} without the results. Is there a proxy in between? ${reason}`,
    );
  }

  return {
    /** Undefined: the server does not count changes. */
    async pull(
      { collection, limit, filter, signal }: PullRequest,
      from: SeqCursor,
      keys: boolean,
    ): Promise<CountedPage | undefined> {
      const query = new URLSearchParams({ seq: String(from.seq), limit: String(limit) });
      if (from.snapshot !== undefined) query.set('snapshot', String(Number(from.snapshot)));
      if (filter?.where) query.set('filter', JSON.stringify({ where: filter.where }));
      if (keys) query.set('keys', '1');
      const reply = await http({ method: 'GET', path: `${pathOf(collection)}?${query}`, signal });
      const records = recordsOf(collection, reply);
      const page = reply.body as unknown as RestPage;
      return typeof page.seq === 'number' ? toPage(collection, records, from, page, host().report) : undefined;
    },

    /** The answers to writes; see `Deliver`. */
    async deliver(frames: readonly Frame[], signal: AbortSignal): Promise<Answer[]> {
      const answers: Answer[] = [];
      while (answers.length < frames.length) answers.push(...(await post(take(frames.slice(answers.length)), signal)));
      return answers;
    },
  };
}
