/**
 * Why RxDB fails where it does, as read in its sources and seen in the requests that it sends, and what its documentation
 * promises (rxdb.info/replication.html, rxdb.info/replication-websocket.html). Printed only for what did fail.
 */
const text = (...lines: readonly string[]): string => lines.join(' ');

const notForClients = 'The documentation calls the plugin "not made for client-server replication".';

export const moved = text(
  'Each event stores its checkpoint, so that the next pull begins behind what was lost. The documentation asks for a stream',
  '"that contains all events", and for `RESYNC` where that cannot be had; it promises nothing for a loss that nobody notices.',
);

export const asItComes = text(
  'What the stream brings is written as it comes; nothing tells an older state from a newer one. The documentation does not',
  'speak of order.',
);

export const ownEcho = text(
  'A write of the device comes back through the stream. One that is held up while a push is under way can be written over a',
  'newer write of the device that has been pushed meanwhile, and the next event brings that back: the app sees the row jump.',
  'What the app writes in between meets its own newer write as a conflict, and the resolution is told to the app once more',
  '(the default conflict handler would drop the edit). The documentation does not speak of it.',
);

export const hardDelete = text(
  'Outside of what the documentation promises: "documents are never deleted, instead the `_deleted` field is set to `true`".',
);

export const lateCommit = text(
  'Outside of what the documentation promises: documents must be "deterministically sortable by their last write time", and',
  'here a transaction commits late, as it may in any SQL database. A pull handler that steps back by some seconds, as that of',
  'the SyncLayer transport does here, would find such commits; the documentation does not name it.',
);

export const noWordForLive = text(
  'It asks for the stream and for what is new at once, when it is connected. The protocol has no word for "the stream has',
  'begun", so commits between the two are in neither, and the next event moves the checkpoint behind them.',
  notForClients,
);

export const unanswered = text(
  'A request whose answer never comes is awaited for ever: it has no time limit, is not sent again over the next connection,',
  'and all later ones wait behind it.',
  notForClients,
);
