import type { Stored } from '../../../src/index.js';
import type { Todo } from '../todo.js';
import { copyOf, find } from './dom.js';

export type TodoRow = Stored<Todo>;

export interface TodoActions {
  tick(id: string, done: boolean): void;
  rename(id: string, text: string): void;
  remove(id: string): void;
}

interface Item {
  readonly element: HTMLLIElement;
  readonly checkbox: HTMLInputElement;
  readonly text: HTMLInputElement;
  readonly unsent: HTMLElement;
  readonly remove: HTMLButtonElement;
  row: TodoRow | undefined;
}

function createItem(id: string): Item {
  const element = find<HTMLLIElement>('li', copyOf('todo-template'));
  element.dataset.id = id;
  return {
    element,
    checkbox: find<HTMLInputElement>('input[type=checkbox]', element),
    text: find<HTMLInputElement>('.text', element),
    unsent: find('.unsent', element),
    remove: find<HTMLButtonElement>('.delete', element),
    row: undefined,
  };
}

/** Marks an item that the backend changed. */
const flash = (element: HTMLElement): void => {
  element.classList.remove('arrived');
  // Reading the layout restarts the animation.
  void element.offsetWidth;
  element.classList.add('arrived');
};

/**
 * Keeps a list's elements equal to rows: an item lives as long as its todo is shown, so focus and a half-typed edit
 * survive whatever arrives meanwhile. A todo's text is an input that looks like text: it is edited in place.
 */
export function createTodoList(list: HTMLElement, actions: TodoActions) {
  const items = new Map<string, Item>();
  const itemOf = (target: EventTarget | null): Item | undefined =>
    items.get((target as Element | null)?.closest<HTMLElement>('li')?.dataset.id ?? '');

  const isEdited = ({ text, row }: Item): boolean => document.activeElement === text && text.value !== row?.text;

  function fill(item: Item, row: TodoRow): void {
    const keep = isEdited(item);
    item.row = row;
    item.checkbox.checked = row.done;
    item.element.classList.toggle('done', row.done);
    if (!keep) item.text.value = row.text;
    item.checkbox.ariaLabel = `Done: ${row.text}`;
    item.text.ariaLabel = `Edit: ${row.text}`;
    item.remove.ariaLabel = `Delete: ${row.text}`;
  }

  function commit(item: Item): void {
    const text = item.text.value.trim();
    if (!item.row || text === item.row.text) return;
    if (text === '') item.text.value = item.row.text;
    else actions.rename(item.row.id, text);
  }

  /** The neighbour that takes over the focus; without one the list's owner decides. */
  function removeItem(item: Item): void {
    const next = itemOf(item.element.nextElementSibling ?? item.element.previousElementSibling);
    if (next) next.remove.focus();
    else find('.add input', list.closest('.device') ?? document).focus();
    actions.remove(item.element.dataset.id ?? '');
  }

  list.addEventListener('change', ({ target }) => {
    const item = itemOf(target);
    if (item?.row && target === item.checkbox) actions.tick(item.row.id, item.checkbox.checked);
  });
  list.addEventListener('click', ({ target }) => {
    const item = itemOf(target);
    if (item?.remove.contains(target as Node)) removeItem(item);
  });
  list.addEventListener('focusout', ({ target }) => {
    const item = itemOf(target);
    if (item && target === item.text) commit(item);
  });
  list.addEventListener('keydown', (event) => {
    const item = itemOf(event.target);
    if (!item) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const { nextElementSibling, previousElementSibling } = item.element;
      const other = itemOf(event.key === 'ArrowDown' ? nextElementSibling : previousElementSibling);
      const control = (['checkbox', 'text', 'remove'] as const).find((name) => item[name] === event.target);
      if (!other || !control) return;
      event.preventDefault();
      other[control].focus();
    } else if (event.target === item.text && event.key === 'Enter') commit(item);
    else if (event.target === item.text && event.key === 'Escape') {
      item.text.value = item.row?.text ?? '';
      item.text.select();
    }
  });

  return {
    /** Shows these rows in this order; `unsent` and `arrived` are ids. */
    render(rows: readonly TodoRow[], unsent: ReadonlySet<string>, arrived: ReadonlySet<string>): void {
      const shown = new Set(rows.map(({ id }) => id));
      for (const [id, { element }] of items) {
        if (shown.has(id)) continue;
        // Out of the map first: removing a focused element tells of the lost focus.
        items.delete(id);
        element.remove();
      }
      let place = list.firstElementChild;
      for (const row of rows) {
        const item = items.get(row.id) ?? createItem(row.id);
        items.set(row.id, item);
        if (item.element === place) place = place.nextElementSibling;
        else list.insertBefore(item.element, place);
        if (item.row !== row) fill(item, row);
        item.unsent.hidden = !unsent.has(row.id);
        if (arrived.has(row.id)) flash(item.element);
      }
    },
  };
}
