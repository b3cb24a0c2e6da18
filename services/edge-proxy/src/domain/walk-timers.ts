/** The timers of one walk over a plan (plan-walk.ts). */
import type { TimerWheel, WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { WalkTimer } from './walk-state.ts'

const OF_ATTEMPT: readonly WalkTimer[] = ['no-response', 'only-trying', 'ring']

export class WalkTimers {
  readonly #wheel: TimerWheel
  readonly #timers = new Map<string, WheelTimer>()

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel
  }

  set(timer: WalkTimer, attempt: number, ms: number, run: () => void): void {
    this.#timers.set(`${timer} ${attempt}`, this.#wheel.after(ms, run))
  }

  /** A branch begins later. */
  delay(branch: number, ms: number, run: () => void): void {
    this.#timers.set(`delay ${branch}`, this.#wheel.after(ms, run))
  }

  /** None of this attempt runs any more. */
  silence(attempt: number): void {
    for (const timer of OF_ATTEMPT) {
      const key = `${timer} ${attempt}`
      this.#wheel.clear(this.#timers.get(key))
      this.#timers.delete(key)
    }
  }

  clear(): void {
    for (const timer of this.#timers.values()) this.#wheel.clear(timer)
    this.#timers.clear()
  }
}
