type Values = Readonly<Record<string, unknown>>;

const tests: Readonly<Record<string, (value: unknown, wanted: unknown) => boolean>> = {
  eq: (value, wanted) => (value ?? null) === wanted,
  ne: (value, wanted) => (value ?? null) !== wanted,
  gt: (value, wanted) => isBelow(wanted, value),
  ge: (value, wanted) => value != null && !isBelow(value, wanted),
  lt: (value, wanted) => isBelow(value, wanted),
  le: (value, wanted) => value != null && !isBelow(wanted, value),
  contains: (value, wanted) => typeof value === 'string' && value.includes(String(wanted)),
  beginsWith: (value, wanted) => typeof value === 'string' && value.startsWith(String(wanted)),
  between: (value, wanted) => {
    const [low, high] = wanted as readonly unknown[];
    return value != null && !isBelow(value, low) && !isBelow(high, value);
  },
  attributeExists: (value, wanted) => (value != null) === wanted,
};

/** As DynamoDB compares: strings by their UTF-8 bytes, and nothing with what is missing. */
function isBelow(one: unknown, other: unknown): boolean {
  if (one == null || other == null) return false;
  if (typeof one === 'string' && typeof other === 'string')
    return Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
  return (one as number) < (other as number);
}

/** Whether an item fulfils a filter or a condition of the schema. */
export function holds(condition: Values | null | undefined, item: Values): boolean {
  if (condition == null) return true;
  return Object.entries(condition).every(([key, wanted]) => {
    if (wanted == null) return true;
    if (key === 'and') return (wanted as readonly Values[]).every((each) => holds(each, item));
    if (key === 'or') return (wanted as readonly Values[]).some((each) => holds(each, item));
    if (key === 'not') return !holds(wanted as Values, item);
    return Object.entries(wanted as Values).every(([operator, value]) => tests[operator]?.(item[key], value) ?? false);
  });
}
