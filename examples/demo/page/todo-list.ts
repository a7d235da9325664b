import type { Stored } from '../../../src/index.js';
import type { Todo } from '../todo.js';
import { copyOf, element, find } from './dom.js';

export type TodoRow = Stored<Todo>;

export interface TodoActions {
  tick(id: string, done: boolean): void;
  rename(id: string, text: string): void;
  remove(id: string): void;
}

interface Item {
  readonly element: HTMLLIElement;
  readonly checkbox: HTMLInputElement;
  readonly text: HTMLButtonElement;
  readonly unsent: HTMLElement;
  readonly remove: HTMLButtonElement;
  row: TodoRow | undefined;
}

function createItem(id: string): Item {
  const element = find<HTMLLIElement>('li', copyOf('todo-template'));
  element.dataset.id = id;
  return {
    element,
    checkbox: find<HTMLInputElement>('input', element),
    text: find<HTMLButtonElement>('.text', element),
    unsent: find('.unsent', element),
    remove: find<HTMLButtonElement>('.delete', element),
    row: undefined,
  };
}

/**
 * Keeps a list's elements equal to rows: an item lives as long as its todo is shown, so focus and a half-typed edit
 * survive whatever arrives meanwhile. A text becomes a field where it stands; a field for each would keep the browser's
 * autofill busy for longer than all the rest.
 */
export function createTodoList(list: HTMLElement, actions: TodoActions) {
  const items = new Map<string, Item>();
  let editing: { readonly item: Item; readonly field: HTMLInputElement; readonly before: string } | undefined;

  const itemOf = (target: EventTarget | null): Item | undefined =>
    items.get((target as Element | null)?.closest<HTMLElement>('li')?.dataset.id ?? '');

  function fill(item: Item, row: TodoRow): void {
    item.row = row;
    item.checkbox.checked = row.done;
    item.element.classList.toggle('done', row.done);
    item.text.textContent = row.text;
    item.checkbox.ariaLabel = `Done: ${row.text}`;
    item.text.ariaLabel = `Edit: ${row.text}`;
    item.remove.ariaLabel = `Delete: ${row.text}`;
  }

  function beginEdit(item: Item): void {
    const before = item.row?.text ?? '';
    const field = element('input', 'field');
    Object.assign(field, { value: before, maxLength: 500, autocomplete: 'off', ariaLabel: 'Todo text' });
    item.text.hidden = true;
    item.text.after(field);
    editing = { item, field, before };
    field.select();
    field.focus();
  }

  function endEdit(keep: boolean): void {
    if (!editing) return;
    const { item, field, before } = editing;
    const text = field.value.trim();
    const focused = document.activeElement === field;
    // First: removing a field that has the focus tells of its loss, which would end the edit again.
    editing = undefined;
    field.remove();
    item.text.hidden = false;
    if (focused) item.text.focus();
    if (keep && text !== '' && text !== before && item.row) actions.rename(item.row.id, text);
  }

  /** Whoever deletes it, here or elsewhere: the neighbour that stays takes over the focus of a todo that goes. */
  function handOn({ element }: Item, stays: (item: Item) => boolean): void {
    if (!element.contains(document.activeElement)) return;
    for (const side of ['nextElementSibling', 'previousElementSibling'] as const)
      for (let other = element[side]; other; other = other[side]) {
        const item = itemOf(other);
        if (item && stays(item)) {
          item.remove.focus();
          return;
        }
      }
    find('.add input', list.closest('.device') ?? document).focus();
  }

  /** Up and down go to the same control of the row above or below. */
  function move(item: Item, target: EventTarget | null, down: boolean): boolean {
    const other = itemOf(down ? item.element.nextElementSibling : item.element.previousElementSibling);
    const control = (['checkbox', 'text', 'remove'] as const).find((name) => item[name] === target);
    if (other && control) other[control].focus();
    return control !== undefined;
  }

  list.addEventListener('animationend', ({ target }) => (target as Element).classList.remove('arrived'));
  list.addEventListener('change', ({ target }) => {
    const item = itemOf(target);
    if (item?.row && target === item.checkbox) actions.tick(item.row.id, item.checkbox.checked);
  });
  list.addEventListener('click', ({ target }) => {
    const item = itemOf(target);
    if (target === item?.text) beginEdit(item);
    else if (item?.remove.contains(target as Node)) actions.remove(item.element.dataset.id ?? '');
  });
  list.addEventListener('focusout', ({ target }) => {
    if (target === editing?.field) endEdit(true);
  });
  list.addEventListener('keydown', (event) => {
    const { key, target } = event;
    const item = itemOf(target);
    if (target === editing?.field) {
      // Not twice: the button that takes over the focus would take this Enter for a click.
      if (key === 'Enter') event.preventDefault();
      if (key === 'Enter' || key === 'Escape') endEdit(key === 'Enter');
    } else if (item && (key === 'ArrowDown' || key === 'ArrowUp') && move(item, target, key === 'ArrowDown'))
      event.preventDefault();
  });

  return {
    /** Shows these rows in this order; `unsent` and `arrived` are ids. */
    render(rows: readonly TodoRow[], unsent: ReadonlySet<string>, arrived: ReadonlySet<string>): void {
      const shown = new Set(rows.map(({ id }) => id));
      for (const [id, item] of items) {
        if (shown.has(id)) continue;
        handOn(item, ({ element }) => shown.has(element.dataset.id ?? ''));
        items.delete(id);
        if (editing?.item === item) editing = undefined;
        item.element.remove();
      }
      let place = list.firstElementChild;
      for (const row of rows) {
        const item = items.get(row.id) ?? createItem(row.id);
        items.set(row.id, item);
        if (item.element === place) place = place.nextElementSibling;
        else list.insertBefore(item.element, place);
        if (item.row !== row) fill(item, row);
        item.unsent.hidden = !unsent.has(row.id);
        if (arrived.has(row.id)) item.element.classList.add('arrived');
      }
    },
  };
}
