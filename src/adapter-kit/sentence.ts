/** What a backend said, as a sentence: what follows it in a message must not run into it. */
export const sentence = (text: string): string =>
  /[.!?…]["')\]]?\s*$/.test(text) ? text.trimEnd() : `${text.trimEnd()}.`;
