import { createPatience } from './patience.js';

/** What a line is taken to carry until it has shown that it carries less, in bytes a ms. */
const RATE = 16;
/** What takes less than this, in ms, says nothing about the line. */
const NOTICEABLE = 1000;

/**
 * How much longer than usual an answer may take for what is sent before it: `fetch` shows on no platform how far an upload is. It
 * grows with the size, and with each time that it was too little. So what is large passes a slow line at last, and a server that is
 * silent is given up as soon as ever where little was sent.
 *
 * @example
 * const uploads = createUploads();
 * const limit = requestTimeout + uploads.limit(body.length);
 */
export function createUploads() {
  const patience = createPatience();
  const isNoticeable = (bytes: number): boolean => bytes / RATE >= NOTICEABLE;
  return {
    /** In ms. */
    limit: (bytes: number): number => patience.of(bytes / RATE),
    /** The first part of the answer came after `took` ms. */
    met(bytes: number, took: number): void {
      if (isNoticeable(bytes)) patience.met(took, bytes / RATE);
    },
    missed(bytes: number): void {
      if (isNoticeable(bytes)) patience.missed();
    },
  };
}

export type Uploads = ReturnType<typeof createUploads>;
