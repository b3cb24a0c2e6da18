/** A process of a measurement that is given orders over IPC, one answer each; it ends when its parent does. */
import { type ChildProcess, fork } from 'node:child_process'

export interface Driver<Order, Answer> {
  readonly pid: number
  /** Fails when there is no answer within `ms`, or when the process ends. */
  ask(order: Order, ms: number): Promise<Answer>
  stop(): Promise<void>
}

interface Told<Answer> {
  id: number
  answer?: Answer
  error?: string
}

const STOP_WITHIN_MS = 5000

export function startDriver<Order, Answer>(file: string, args: readonly string[] = []): Driver<Order, Answer> {
  const child = fork(file, args, { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const waiting = new Map<number, (told: Omit<Told<Answer>, 'id'>) => void>()
  let last = 0
  child.on('message', ({ id, ...told }: Told<Answer>) => waiting.get(id)?.(told))
  const failAll = (why: string) => {
    for (const tell of waiting.values()) tell({ error: `a process of the measurement ended (${why})` })
  }
  child.on('error', (error) => failAll(error.message))
  child.on('exit', (code, signal) => failAll(signal ?? `status ${code}`))
  return {
    pid: child.pid as number,
    ask: (order, ms) =>
      new Promise((done, fail) => {
        const id = ++last
        const late = setTimeout(() => waiting.get(id)?.({ error: `no answer within ${ms / 1000} s` }), ms)
        waiting.set(id, ({ answer, error }) => {
          clearTimeout(late)
          waiting.delete(id)
          if (answer === undefined) fail(new Error(error ?? 'no answer'))
          else done(answer)
        })
        if (child.connected) child.send({ id, order })
        else failAll('before it was asked')
      }),
    stop: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  if (child.connected) child.disconnect()
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await gone
  clearTimeout(late)
}

/** In the process itself. */
export function takeOrders<Order, Answer>(obey: (order: Order) => Promise<Answer>): void {
  process.on('message', ({ id, order }: { id: number; order: Order }) => {
    obey(order).then(
      (answer) => process.send?.({ id, answer }),
      (error: unknown) => process.send?.({ id, error: (error as Error).message }),
    )
  })
  // the parent is gone: so are we
  process.on('disconnect', () => process.exit(0))
}
