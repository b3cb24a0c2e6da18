/** What an `up` that was killed left running: its state file names each process. */
import { type DataFolder, type RunningPart, readState, removeState } from './data-folder.ts'
import { isSame } from './process-identity.ts'

/** Ends them in the order edge first, NATS last, and says which. PostgreSQL is not among them: it is taken over. */
export async function endLeftovers(folder: DataFolder): Promise<RunningPart[]> {
  const state = readState(folder)
  if (state === null || isSame(state.supervisor)) return []
  const alive = state.parts.filter((part) => part.name !== 'postgres' && part.birth !== null && isSame(part))
  for (const part of alive) send(part.pid, 'SIGTERM')
  const until = performance.now() + 8000
  for (const part of alive) {
    while (isSame(part) && performance.now() < until) await new Promise((done) => setTimeout(done, 25))
    if (isSame(part)) send(part.pid, 'SIGKILL')
  }
  removeState(folder)
  return alive
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it went meanwhile
  }
}
