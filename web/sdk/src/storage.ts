const DATABASE = "facegate";
const STORE = "kept";

/**
 * Returns the value that this origin stores under a name. If there is none, stores and returns that of `make`.
 *
 * Rejects if the browser has no IndexedDB, as in some private windows.
 */
export async function stored<T>(name: string, make?: () => Promise<T>): Promise<T> {
  const database = await done(opened());
  try {
    const found = await done(database.transaction(STORE).objectStore(STORE).get(name));
    if (found !== undefined || make === undefined) return found as T;
    const made = await make();
    await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(made, name));
    return made;
  } finally {
    database.close();
  }
}

function opened(): IDBOpenDBRequest {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return request;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
