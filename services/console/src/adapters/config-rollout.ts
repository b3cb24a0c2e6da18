/**
 * A change goes round in two steps (ADR 80): every instance of every service reads the proposal and says whether it can
 * take it over; only then is it committed, and only when all have it in force is it said to be.
 */
import type { Bus } from '@tandem/bus/bus.ts'
import { type ConfigFollower, ListConfigFollowers, PrepareConfiguration } from '@tandem/contracts/config.ts'

/** Who does not answer within that is not there, ms. */
const rollCallMs = 250
/** After the commit it is looked for that long whether all have it in force, ms. */
const settleMs = 2_000
const againMs = 20

export type Objection = { readonly service: string; readonly instance: string; readonly why: string }
export type Settled = {
  /** Instances in which the revision is in force. */
  readonly inForce: readonly ConfigFollower[]
  /** Those that were there and have not said so within 2 s. */
  readonly waiting: readonly ConfigFollower[]
}

const nameOf = ({ service, instance }: ConfigFollower) => `${service} ${instance}`

export async function rollCall(bus: Bus): Promise<ConfigFollower[]> {
  return await bus.askAll(ListConfigFollowers, {}, rollCallMs)
}

/**
 * A MiB of users takes a service 2 s to read where nobody else works; five services read it at the same time, behind the
 * calls, on two processors. So long for each MiB of a proposal beyond the first, ms.
 */
const perMiB = 8_000
const longestMs = 120_000

/** How long services may take to read a proposal of that size, ms. */
export function patienceMs(bytes: number): number {
  return Math.min(PrepareConfiguration.timeoutMs + Math.floor(bytes / 2 ** 20) * perMiB, longestMs)
}

/** Those of `present` that refuse, or do not answer in time; none: all are ready. */
export async function prepare(
  bus: Bus,
  present: readonly ConfigFollower[],
  proposal: { revision: number; entry: number },
  withinMs: number,
): Promise<Objection[]> {
  if (present.length === 0) return []
  // one that came after the roll call answers too: its word must not stand for that of another
  const answers = await bus.askAll(PrepareConfiguration, proposal, withinMs, (so) => allOf(present, so))
  const answered = new Set(answers.map(nameOf))
  const objections = [
    ...answers.flatMap(({ service, instance, refused }) =>
      refused === undefined ? [] : [{ service, instance, why: refused }],
    ),
    ...present
      .filter((one) => !answered.has(nameOf(one)))
      .map(({ service, instance }) => ({ service, instance, why: `did not answer within ${withinMs / 1000} s` })),
  ]
  return objections.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

function allOf(present: readonly ConfigFollower[], answers: readonly ConfigFollower[]): boolean {
  const answered = new Set(answers.map(nameOf))
  return present.every((one) => answered.has(nameOf(one)))
}

/** Waits until all of `present` have the revision (or a later one) in force, or 2 s. */
export async function settle(bus: Bus, present: readonly ConfigFollower[], revision: number): Promise<Settled> {
  const until = performance.now() + settleMs
  const inForce = new Map<string, ConfigFollower>()
  const missing = () => present.filter((one) => !inForce.has(nameOf(one)))
  while (missing().length > 0 && performance.now() < until) {
    for (const one of await bus.askAll(ListConfigFollowers, {}, rollCallMs, (so) => allOf(present, so)))
      if ((one.revision ?? 0) >= revision) inForce.set(nameOf(one), one)
    if (missing().length > 0) await new Promise((done) => setTimeout(done, againMs))
  }
  return { inForce: [...inForce.values()], waiting: missing() }
}
