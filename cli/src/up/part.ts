/**
 * One process that `up` keeps alive.
 *
 *   starting --ready--> ready --ends--> waiting --back-off--> starting
 *       `-----ends, too often before it was ever ready--> given up
 *   any --stop()--> stopped
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { identify, type ProcessIdentity } from './process-identity.ts'

export interface PartPlan {
  name: string
  command: string
  /** asked at each start: a port may have been learnt meanwhile */
  arguments(): string[]
  environment(): NodeJS.ProcessEnv
  log: string
  /** resolves when the part can be used; rejects with the reason why it is taking too long */
  ready(signal: AbortSignal, pid: number): Promise<void>
  stopSignal: NodeJS.Signals
  stopWithinMs: number
}

export interface PartEvents {
  ended(why: string, againInMs: number): void
  gaveUp(why: string): void
  changed(): void
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
/** A part that lived this long starts the back-off anew. */
const SETTLED_MS = 30_000
const TRIES_BEFORE_READY = 3

export class Part {
  readonly plan: PartPlan
  readonly #events: PartEvents
  #child: ChildProcess | undefined
  #pause: NodeJS.Timeout | undefined
  #abort = new AbortController()
  #stopping = false
  #wasReady = false
  #pauses = 0
  state: 'starting' | 'ready' | 'waiting' | 'given up' | 'stopped' = 'stopped'
  restarts = 0
  identity: ProcessIdentity | null = null

  constructor(plan: PartPlan, events: PartEvents) {
    this.plan = plan
    this.#events = events
  }

  start(): void {
    this.#abort = new AbortController()
    const startedAt = performance.now()
    const log = openSync(this.plan.log, 'a', 0o640)
    // Detached: Ctrl-C in the terminal reaches `up` alone, which stops the parts in order. Each has the read end of our
    // pipe as its input and stops by itself when that closes, so that kill -9 of `up` leaves no service behind.
    const child = spawn(this.plan.command, this.plan.arguments(), {
      detached: true,
      stdio: ['pipe', log, log],
      env: this.plan.environment(),
    })
    closeSync(log)
    this.#child = child
    child.stdin?.on('error', () => {}) // it ended: said by 'exit'
    this.#enter('starting')
    let done = false
    const ended = (why: string): void => {
      if (done) return
      done = true
      this.#abort.abort()
      this.#ended(why, performance.now() - startedAt)
    }
    child.once('error', (error) => ended(error.message))
    child.once('exit', (code, signal) => ended(signal ? `signal ${signal}` : `status ${code}`))
    if (child.pid === undefined) return
    this.identity = identify(child.pid)
    this.plan.ready(this.#abort.signal, child.pid).then(
      () => {
        this.#wasReady = true
        if (!done) this.#enter('ready')
      },
      () => {}, // aborted: it ended, or stops
    )
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#pause)
    const child = this.#child
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((done) => child.once('exit', () => done()))
      child.kill(this.plan.stopSignal)
      const late = setTimeout(() => child.kill('SIGKILL'), this.plan.stopWithinMs)
      await gone
      clearTimeout(late)
    }
    this.#enter('stopped')
  }

  /** At once, without goodbye. */
  kill(): void {
    this.#stopping = true
    clearTimeout(this.#pause)
    this.#child?.kill('SIGKILL')
  }

  lastLines(count: number): string[] {
    try {
      return readFileSync(this.plan.log, 'utf8').trimEnd().split('\n').slice(-count)
    } catch {
      return []
    }
  }

  #ended(why: string, livedMs: number): void {
    this.identity = null
    if (this.#stopping) return
    this.restarts++
    this.#pauses = livedMs > SETTLED_MS ? 0 : this.#pauses
    if (!this.#wasReady && this.restarts >= TRIES_BEFORE_READY) {
      this.#enter('given up')
      this.#events.gaveUp(why)
      return
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses++, LONGEST_PAUSE_MS)
    this.#pause = setTimeout(() => this.start(), pause)
    this.#enter('waiting')
    this.#events.ended(why, pause)
  }

  #enter(state: Part['state']): void {
    this.state = state
    this.#events.changed()
  }
}
