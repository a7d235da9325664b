/** Whether a text holds half of a surrogate pair, which UTF-8 cannot carry. Hermes has no `isWellFormed` and no `\p{Surrogate}`. */
export const hasLoneSurrogate = (text: string): boolean => /[\ud800-\udfff]/u.test(text);
