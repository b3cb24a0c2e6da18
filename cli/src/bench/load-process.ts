/** Starts the process of `load-driver.ts` and gives it orders. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LoadResult, LoadSettings } from './call-load.ts'
import type { LoadAnswer, LoadOrder } from './load-driver.ts'
import type { RegisterResult, RegisterSettings } from './register-load.ts'

export interface LoadProcess {
  /** where the carrier answers */
  carrierPort: number
  register(target: string, domain: string, password: string): Promise<void>
  run(settings: LoadSettings): Promise<LoadResult>
  runRegistrations(settings: RegisterSettings): Promise<RegisterResult>
  stop(): Promise<void>
}

/** Callers with these names, each on a free port. */
export async function startLoad(users: readonly string[]): Promise<LoadProcess> {
  const child = fork(fileURLToPath(new URL('./load-driver.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const ask = orders(child)
  const { carrierPort } = (await ask({ kind: 'open', users: [...users] })) as { carrierPort: number }
  return {
    carrierPort,
    register: async (target, domain, password) => {
      await ask({ kind: 'register', target, domain, password })
    },
    run: async (settings) => (await ask({ kind: 'run', ...settings })) as LoadResult,
    runRegistrations: async (settings) => (await ask({ kind: 'registrations', ...settings })) as RegisterResult,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise<void>((done) => child.once('exit', () => done()))
      child.disconnect()
      await gone
    },
  }
}

function orders(child: ChildProcess): (order: LoadOrder) => Promise<LoadAnswer> {
  const waiting = new Map<number, { done(answer: LoadAnswer): void; fail(error: Error): void }>()
  let last = 0
  child.on('message', ({ id, answer, error }: { id: number; answer?: LoadAnswer; error?: string }) => {
    const asker = waiting.get(id)
    waiting.delete(id)
    if (answer) asker?.done(answer)
    else asker?.fail(new Error(error ?? 'no answer'))
  })
  const failAll = (why: string) => {
    for (const { fail } of waiting.values()) fail(new Error(`the load driver ended (${why})`))
    waiting.clear()
  }
  child.on('error', (error) => failAll(error.message))
  child.on('exit', (code, signal) => failAll(signal ?? `status ${code}`))
  return (order) =>
    new Promise((done, fail) => {
      const id = ++last
      waiting.set(id, { done, fail })
      child.send({ id, order })
    })
}
