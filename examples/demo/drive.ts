import type { Locator, Page } from 'playwright-core';
import type { DeviceName } from './page/device.js';

/** A device's part of the page, as a user finds it: by roles and names. For the headless check and the tests. */
export interface DevicePage {
  readonly card: Locator;
  readonly newTodo: Locator;
  /** `Live`, `Offline`, ... */
  readonly phase: Locator;
  readonly pending: Locator;
  readonly wire: Locator;
  readonly strategy: Locator;
  /** The text of a todo; a click makes it a field. */
  todo(text: string): Locator;
  /** The field, where a todo is being edited. */
  readonly field: Locator;
  checkbox(text: string): Locator;
  deleteButton(text: string): Locator;
  add(text: string): Promise<void>;
  edit(text: string, next: string): Promise<void>;
  /** Cuts or restores the wire, and waits until the device knows. */
  setWire(on: boolean): Promise<void>;
}

export function devicePage(page: Page, name: DeviceName): DevicePage {
  const card = page.getByRole('region', { name: `Device ${name}` });
  const named = (role: 'checkbox' | 'button', label: string) => (text: string) =>
    card.getByRole(role, { name: `${label}: ${text}`, exact: true });
  const newTodo = card.getByRole('textbox', { name: `New todo on device ${name}` });
  const todo = named('button', 'Edit');
  const field = card.getByRole('textbox', { name: 'Todo text' });
  const phase = card.getByRole('status');
  const wire = page.getByRole('switch', { name: `Wire ${name}` });
  return {
    card,
    newTodo,
    phase,
    pending: card.locator('.pending'),
    wire,
    strategy: card.getByRole('combobox'),
    todo,
    field,
    checkbox: named('checkbox', 'Done'),
    deleteButton: named('button', 'Delete'),
    async add(text) {
      await newTodo.fill(text);
      await newTodo.press('Enter');
    },
    async edit(text, next) {
      await todo(text).click();
      await field.fill(next);
      await field.press('Enter');
    },
    async setWire(on) {
      await wire.setChecked(on);
      await phase.filter({ hasText: on ? 'Live' : 'Offline' }).waitFor();
    },
  };
}

/** Opens the page and waits until both devices are live. */
export async function openDemo(page: Page, url: string): Promise<{ a: DevicePage; b: DevicePage }> {
  await page.goto(url);
  const [a, b] = [devicePage(page, 'A'), devicePage(page, 'B')];
  for (const { phase } of [a, b]) await phase.filter({ hasText: 'Live' }).waitFor();
  return { a, b };
}
