/** `tandem up` in the foreground: lines for a person (or JSON lines), signals, and the exit status. */
import { colours } from '../print/colours.ts'
import { printFailure } from '../print/failure.ts'
import { startUp, type Up } from './start-up.ts'

export interface RunUpOptions {
  config: string
  data?: string | undefined
  json: boolean
}

export async function runUp({ config, data, json }: RunUpOptions): Promise<number> {
  const began = performance.now()
  const line = (kind: string, text: string, more: object = {}) =>
    console.log(
      json ? JSON.stringify({ kind, text, ...more }) : kind === 'warning' ? `${colours.yellow('!')} ${text}` : text,
    )
  const stopping = new AbortController()
  const signals = listen(stopping, () => line('stopping', 'stopping (again to end at once) …'))
  let up: Up | undefined
  try {
    up = await startUp({
      config,
      data,
      environment: process.env,
      signal: stopping.signal,
      onBegin: (begun) => signals.onSecond(() => begun.kill()),
      say: (text) => line('step', text),
      warn: (text) => line('warning', text),
    })
    for (const warning of up.checked.warnings) {
      line('warning', `${warning.file}:${warning.line}:${warning.column}  ${warning.message}. ${warning.instead}`)
    }
    const took = ((performance.now() - began) / 1000).toFixed(1)
    line('ready', readyLine(up, took), { api: up.api.address, seconds: Number(took) })
    await Promise.race([up.broken, stopped(stopping.signal)])
    await up.stop()
    line('stopped', 'stopped')
    return 0
  } catch (error) {
    await up?.stop()
    if (stopping.signal.aborted) {
      line('stopped', 'stopped')
      return 130
    }
    return printFailure(error)
  } finally {
    signals.close()
  }
}

function readyLine(up: Up, took: string): string {
  const listeners = Object.values(up.checked.configuration.edge.listen).map((l) => l.url)
  return `${colours.green('ready')} in ${took} s: SIP on ${listeners.join(' ')}; console ${up.api.address}`
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done()
    signal.addEventListener('abort', () => done(), { once: true })
  })
}

/** The first SIGINT, SIGTERM or SIGHUP stops in order, the second ends at once. */
export function listen(stopping: AbortController, onFirst: () => void) {
  let second = () => {}
  const hear = () => {
    if (stopping.signal.aborted) {
      second()
      process.exit(130)
    }
    onFirst()
    stopping.abort()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, hear)
  return {
    onSecond: (run: () => void) => {
      second = run
    },
    close: () => {
      for (const name of names) process.off(name, hear)
    },
  }
}
