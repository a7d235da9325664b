/** Documents that are marked, documents that are deleted, and documents of one user. */
export const tables = {
  collections: {
    todos: { deletedAt: 'deletedAt' },
    mine: { table: 'users/u1/mine', updatedAt: 'changed-at', where: [['owner', '==', 'u1'] as const] },
  },
};

export const collections = ['todos', 'notes', 'mine'];
