/** Starts the process of `load-driver.ts` and gives it orders. */
import { fileURLToPath } from 'node:url'
import type { LoadResult, LoadSettings } from './call-load.ts'
import { startDriver } from './driver-process.ts'
import type { LoadAnswer, LoadOrder } from './load-driver.ts'
import type { RegisterResult, RegisterSettings } from './register-load.ts'

export interface LoadProcess {
  /** where the carrier answers */
  carrierPort: number
  register(target: string, domain: string, password: string): Promise<void>
  run(settings: LoadSettings): Promise<LoadResult>
  /** The run that is under way ends when its open calls have. */
  enough(): Promise<void>
  runRegistrations(settings: RegisterSettings): Promise<RegisterResult>
  stop(): Promise<void>
}

/** For an order that is obeyed at once. */
const SOON_MS = 60_000
/** After the last call or registration was due. */
const ROUND_MS = 120_000

/** Callers with these names, each on a free port. */
export async function startLoad(users: readonly string[]): Promise<LoadProcess> {
  const file = fileURLToPath(new URL('./load-driver.ts', import.meta.url))
  const { ask, stop } = startDriver<LoadOrder, LoadAnswer>(file)
  const { carrierPort } = (await ask({ kind: 'open', users: [...users] }, SOON_MS)) as { carrierPort: number }
  const within = (count: number, rate: number) => (1000 * count) / rate + ROUND_MS
  return {
    carrierPort,
    register: async (target, domain, password) => {
      await ask({ kind: 'register', target, domain, password }, users.length * 10_000 + SOON_MS)
    },
    run: async (settings) =>
      (await ask({ kind: 'run', ...settings }, within(settings.calls, settings.rate))) as LoadResult,
    enough: async () => {
      await ask({ kind: 'enough' }, SOON_MS)
    },
    runRegistrations: async (settings) =>
      (await ask(
        { kind: 'registrations', ...settings },
        within(settings.registrations, settings.rate),
      )) as RegisterResult,
    stop,
  }
}
