/** The embedded PostgreSQL of a data folder, kept alive. */
import { type EmbeddedServer, startEmbedded } from '@tandem/store/embedded.ts'
import type { DataFolder } from './data-folder.ts'
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts'

export interface Postgres {
  url: string
  log: string
  identity(): ProcessIdentity
  restarts(): number
  stop(): Promise<void>
  /** "Immediate shutdown": nothing committed is lost, the next start recovers. */
  kill(): void
}

const LOOK_EVERY_MS = 1000

/**
 * One left behind by an `up` that was killed is taken over: it holds the CDRs. `onEnded` hears of each death, `onBack` of
 * each return.
 */
export async function startPostgres(
  folder: DataFolder,
  onEnded: (why: string) => void,
  onBack: () => void,
): Promise<Postgres> {
  let server: EmbeddedServer = await startEmbedded({ dataFolder: folder.path })
  let restarts = 0
  let starting: Promise<void> | undefined
  const watch = setInterval(() => {
    if (starting || isAlive(server.pid)) return
    onEnded('PostgreSQL ended; starting it again')
    restarts++
    starting = startEmbedded({ dataFolder: folder.path })
      .then((again) => {
        server = again
        onBack()
      })
      .catch((error: unknown) => onEnded(`PostgreSQL does not start: ${(error as Error).message}`))
      .finally(() => {
        starting = undefined
      })
  }, LOOK_EVERY_MS)
  return {
    url: server.url,
    log: server.log,
    identity: () => identify(server.pid),
    restarts: () => restarts,
    async stop() {
      clearInterval(watch)
      await starting
      await server.stop()
    },
    kill() {
      clearInterval(watch)
      if (isAlive(server.pid)) process.kill(server.pid, 'SIGQUIT')
    },
  }
}
