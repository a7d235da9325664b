import type { AnswerRules, Verdict } from '../answer.js';
import type { OutboxEntry, Pending } from '../replica-state.js';
import type { Carry } from './carry.js';
import type { Ledger } from './ledger.js';
import type { Respelled } from './respelled.js';

/** How a backend may spell the id of a record. */
export interface Spellings {
  /** As such a backend usually writes it. */
  readonly usual: string;
  /** As it says that it has stored it. */
  readonly stored: string | undefined;
}

export interface PushResultOptions {
  readonly carry: Carry;
  readonly respelled: Respelled;
  readonly rules: AnswerRules;
  /** Lets go of what is over the limit. */
  readonly trim: () => void;
}

/** What becomes of edits that were sent. */
export function createPushResults(ledger: Ledger, { carry, respelled, rules, trim }: PushResultOptions) {
  const { pending, batch, noteServer, amendHead } = ledger;

  function onAnswer(id: string, edits: Pending, verdict: Verdict): void {
    switch (verdict.type) {
      case 'done':
        carry.told(carry.finishHead(id, edits, verdict.state, verdict.own));
        if (verdict.doubtful) carry.doubt(id);
        break;
      case 'hidden':
        // The backend's row has gone from view, too: no answer to the edit alone would say that.
        carry.told(carry.setAside(id, edits.entries, verdict.state));
        break;
      case 'merge':
        noteServer(id, verdict.state);
        carry.told(carry.rebaseEdits(id, edits.entries, verdict.state));
        break;
      case 'again':
        if (verdict.counts) amendHead(id, edits, { attempts: edits.entries[0].attempts + 1 });
        break;
      case 'held':
        carry.hold(id, edits, verdict.error);
        break;
      case 'refused':
        carry.reject(id, edits, verdict.error);
    }
  }

  return {
    /** Freezes the heads of these records: from now on they may have reached the backend. */
    markSent(heads: readonly OutboxEntry[]): void {
      batch.run(() => {
        for (const head of heads) {
          respelled.note(head);
          const edits = pending.get(head.recordId);
          if (!edits || edits.entries[0].opId !== head.opId || head.sent) continue;
          amendHead(head.recordId, edits, { sent: true });
        }
      });
    },

    /**
     * What became of a pushed edit, as `verdictOf` finds it. Nothing, if its echo has settled it already. False: the same edit is sent
     * again.
     */
    settle(
      id: string,
      opId: string,
      { usual, stored }: Spellings,
      verdictOf: (edits: Pending, rules: AnswerRules) => Verdict,
    ): boolean {
      const isHere = (each: string): boolean => pending.get(each)?.entries[0].opId === opId;
      let at = [id, usual].find(isHere);
      if (at === undefined) return true;
      batch.run(() => {
        if (stored !== undefined && stored !== at) {
          // What came by the other spelling was another record, after all.
          if (stored === id) carry.rename(at ?? id, id);
          else carry.adopt(at ?? id, stored);
          at = [stored, at].find((each) => each !== undefined && isHere(each));
        }
        respelled.forget(usual);
        const edits = at === undefined ? undefined : pending.get(at);
        if (at !== undefined && edits) onAnswer(at, edits, verdictOf(edits, rules));
        trim();
      });
      return !isHere(at);
    },
  };
}
