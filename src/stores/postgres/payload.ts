/** Stands for notifications that were missed: every watcher looks. */
export const anything = '*'
