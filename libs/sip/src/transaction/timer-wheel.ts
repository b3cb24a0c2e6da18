/**
 * A hashed timing wheel: thousands of SIP timers behind one timer of the owner.
 *
 * Setting and clearing are O(1) and allocate one small object. A timer fires at the first tick at or after its due
 * time (never early, at most one tick late; a long one at every tenth tick, so that the many that only let go of what has
 * ended do not wake the process at each). The owner's timer runs only while something is due: at an idle edge nothing
 * wakes.
 */

/** What the owner of time hands in: `setTimeout`, `clearTimeout` and a monotonic clock, or a fake of them. */
export interface TimeSource {
  /** Calls `fire` once after at least `ms`; returns what `clearTimer` takes. */
  setTimer(ms: number, fire: () => void): unknown
  clearTimer(handle: unknown): void
  /** Monotonic, ms. */
  now(): number
}

export interface WheelTimer {
  readonly name: string
  /** False once fired or cleared. */
  readonly active: boolean
}

export interface TimerListener {
  /** The timer `name` of this listener has fired. */
  fired(name: string): void
}

class Entry implements WheelTimer {
  readonly name: string
  readonly listener: TimerListener
  readonly dueTick: number
  active = true
  previous: Entry | undefined
  next: Entry | undefined

  constructor(name: string, listener: TimerListener, dueTick: number) {
    this.name = name
    this.listener = listener
    this.dueTick = dueTick
  }
}

const SLOTS = 4096

/**
 * A timer of more ms is long: those of RFC 3261 that end a transaction over UDP after 64*T1 (D, H, J). Those after which a
 * call goes on to the next trunk, a call for help among them, are shorter and fire in time.
 */
const SHORT_MS = 10_000
/** Long timers fire at every such tick. */
const LONG_TICKS = 10

/** Owns one timer of the `TimeSource`; `close()` gives it back. */
export class TimerWheel {
  readonly #time: TimeSource
  readonly #tickMs: number
  readonly #slots: (Entry | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #origin: number
  /** The last tick that was run. */
  #tick = 0
  #wakeTick = Number.POSITIVE_INFINITY
  #handle: unknown
  #size = 0
  #closed = false

  /** `tickMs`: how coarse time is, ms; 10 serves SIP well (T1 is 500). The wheel spans 4096 ticks per turn. */
  constructor(time: TimeSource, tickMs = 10) {
    this.#time = time
    this.#tickMs = tickMs
    this.#origin = time.now()
  }

  /** Timers that have neither fired nor been cleared. */
  get size(): number {
    return this.#size
  }

  set(ms: number, listener: TimerListener, name = ''): WheelTimer {
    const coarse = ms <= SHORT_MS ? 1 : LONG_TICKS
    const due = Math.ceil((this.#time.now() + ms - this.#origin) / (this.#tickMs * coarse)) * coarse
    const dueTick = Math.max(due, this.#tick + 1)
    const entry = new Entry(name, listener, dueTick)
    if (this.#closed) {
      entry.active = false
      return entry
    }
    const slot = dueTick % SLOTS
    const head = this.#slots[slot]
    entry.next = head
    if (head) head.previous = entry
    this.#slots[slot] = entry
    this.#size++
    if (dueTick < this.#wakeTick) this.#wakeAt(dueTick)
    return entry
  }

  /** Calls `fire` after `ms`, unless cleared. */
  after(ms: number, fire: () => void): WheelTimer {
    return this.set(ms, { fired: fire })
  }

  clear(timer: WheelTimer | undefined): void {
    if (!timer?.active) return
    const entry = timer as Entry
    entry.active = false
    this.#unlink(entry)
  }

  /** Drops every timer; none fires any more. */
  close(): void {
    this.#closed = true
    this.#slots.fill(undefined)
    this.#size = 0
    if (this.#wakeTick !== Number.POSITIVE_INFINITY) this.#time.clearTimer(this.#handle)
    this.#wakeTick = Number.POSITIVE_INFINITY
  }

  #unlink(entry: Entry): void {
    this.#size--
    if (entry.previous) entry.previous.next = entry.next
    else this.#slots[entry.dueTick % SLOTS] = entry.next
    if (entry.next) entry.next.previous = entry.previous
    entry.previous = undefined
    entry.next = undefined
  }

  #wakeAt(tick: number): void {
    if (this.#wakeTick !== Number.POSITIVE_INFINITY) this.#time.clearTimer(this.#handle)
    this.#wakeTick = tick
    const ms = Math.max(this.#origin + tick * this.#tickMs - this.#time.now(), 0)
    this.#handle = this.#time.setTimer(ms, () => this.#run())
  }

  #run(): void {
    this.#wakeTick = Number.POSITIVE_INFINITY
    const reached = Math.floor((this.#time.now() - this.#origin) / this.#tickMs)
    // after a long pause one turn visits every slot
    const first = Math.max(this.#tick + 1, reached - SLOTS + 1)
    this.#tick = Math.max(this.#tick, reached)
    const errors: unknown[] = []
    for (let tick = first; tick <= reached; tick++) this.#runSlot(tick % SLOTS, reached, errors)
    this.#wakeForNext()
    if (errors.length > 0) throw errors[0]
  }

  /** An error of one listener must not keep the others of its tick from firing: it is thrown when all have. */
  #runSlot(slot: number, reached: number, errors: unknown[]): void {
    const due: Entry[] = []
    for (let entry = this.#slots[slot]; entry; entry = entry.next) if (entry.dueTick <= reached) due.push(entry)
    // the list grows at its head: the oldest is last
    for (let i = due.length - 1; i >= 0; i--) {
      const entry = due[i] as Entry
      // cleared by one that fired just before
      if (!entry.active) continue
      entry.active = false
      this.#unlink(entry)
      try {
        entry.listener.fired(entry.name)
      } catch (error) {
        errors.push(error)
      }
    }
  }

  #wakeForNext(): void {
    if (this.#size === 0 || this.#closed) return
    for (let tick = this.#tick + 1; tick <= this.#tick + SLOTS; tick++) {
      if (this.#slots[tick % SLOTS] === undefined) continue
      if (tick < this.#wakeTick) this.#wakeAt(tick)
      return
    }
  }
}
