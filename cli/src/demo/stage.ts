/** The demonstration as it is told: steps with what was seen, one line each. A line is printed when it has been seen. */

import type { Api } from '../api/client.ts'
import { colours } from '../print/colours.ts'
import type { Carriers, Phones } from './cast.ts'

export interface Stage extends Carriers, Phones {
  api: Api
  /** Alice has called for help in an earlier run not long ago: a call from the PSTN may be emergency services. */
  helped: boolean
  /** RFC 3339: nothing before it belongs to this run */
  since: string
  /** ids of the calls made, with what they were */
  calls: Map<string, string>
}

export interface Step {
  letter: string
  title: string
  play(stage: Stage, saw: Saw): Promise<void>
}

/** `saw('…', condition)`: prints it, or fails the step with what came instead. */
export type Saw = (what: string, condition?: boolean, instead?: string) => void

/** Plays all of them, also after one that failed; gives the letters of those that failed. */
export async function playSteps(steps: readonly Step[], stage: Stage, stopping: AbortSignal): Promise<string[]> {
  const failed: string[] = []
  for (const step of steps) {
    if (stopping.aborted) break
    console.log(`\n${colours.bold(`${step.letter}  ${step.title}`)}`)
    try {
      await Promise.race([step.play(stage, see), aborted(stopping)])
    } catch (error) {
      if (stopping.aborted) break
      failed.push(step.letter)
      await hangUpAll(stage)
      console.log(`   ${colours.red('✗')} ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return failed
}

/** A step that failed leaves no call behind for the next one. */
async function hangUpAll(stage: Stage): Promise<void> {
  const calls = [stage.a, stage.b].flatMap((carrier) => carrier.calls.filter((c) => c.state !== 'ended'))
  await Promise.allSettled(calls.map((call) => Promise.race([call.hangUp(), pause(2000)])))
}

const see: Saw = (what, condition = true, instead = 'it was not so') => {
  if (!condition) throw new Error(`${what}: ${instead}`)
  console.log(`   ${colours.green('✓')} ${what}`)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
  )
}

export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/** Asks again until the answer is there; gives it with the ms that it took. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<{ value: T; ms: number }> {
  const began = performance.now()
  for (;;) {
    const value = await look()
    const ms = performance.now() - began
    if (value !== undefined) return { value, ms: Math.round(ms) }
    if (ms > withinMs) throw new Error(`${what}: not within ${withinMs / 1000} s`)
    await pause(25)
  }
}
