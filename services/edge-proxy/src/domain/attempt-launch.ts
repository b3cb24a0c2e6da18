/**
 * Attempts of a plan become INVITEs: the ways to a trunk or a user's phones are looked up, places on trunks and links are
 * taken, and no call forks without end.
 */
import type { Attempt, Branch, TrunkAttempt, UserAttempt } from '@tandem/contracts/routing.ts'
import type { TrunkPath } from '../edge.ts'
import { byPreference } from './binding-targets.ts'
import { type Admission, FREE, phoneNeeds, sharedAmong, trunkNeeds } from './call-admission.ts'
import type { LegOwner } from './call-parts.ts'
import { phonesOf } from './help-calls.ts'
import type { Held, Need } from './ledger.ts'
import { type CallSeed, type LegEvents, LegLauncher, type OutLeg } from './leg-launcher.ts'
import type { WalkEffect } from './walk-state.ts'
import { peakKbps } from './wire-rate.ts'

type Launch = WalkEffect & { kind: 'launch' }

/** One attempt of the walk. */
export interface Run {
  readonly what: Attempt
  readonly role: Branch['role']
  readonly legs: OutLeg[]
}

export interface AttemptLaunchParts {
  readonly seed: CallSeed
  readonly owner: LegOwner & LegEvents
  /** Neither answered nor given up. */
  readonly walking: () => boolean
  /** So many INVITEs of the attempt go out; `more` further ways are there (plan-walk.ts). */
  readonly launched: (attempt: number, legs: number, status?: number, more?: number) => void
}

export class AttemptLaunch {
  readonly #it: AttemptLaunchParts
  readonly #launcher: LegLauncher
  #forks = 0
  /** Which trunk or link had no place left. */
  full: string | undefined

  constructor(parts: AttemptLaunchParts) {
    this.#it = parts
    this.#launcher = new LegLauncher(parts.seed, parts.owner)
  }

  get #parts() {
    return this.#it.seed.parts
  }

  launch(run: Run, effect: Launch): void {
    const { what } = run
    if (what.kind === 'user') return void this.#user(run, what, effect)
    const { facts } = this.#it.seed
    const { edge } = this.#parts
    edge.trunks
      .paths(what.trunk, facts.callId, facts.emergency)
      .then(
        (paths) => this.#trunk(run, what, paths, effect),
        (error: unknown) => {
          edge.log.warn({ trunk: what.trunk, why: String(error) }, 'no way to the trunk')
          this.#it.launched(effect.attempt, 0, 503)
        },
      )
      .catch((error: unknown) => {
        // without an INVITE no timer would ever take the call further
        edge.log.error({ call: facts.callId, trunk: what.trunk, err: error }, 'an INVITE could not be made')
        this.#it.launched(effect.attempt, 0, 503)
      })
  }

  /** RFC 5626 7: after 430 or 408, and after no other word, the same device is rung on another of its flows. */
  otherFlow(out: OutLeg, run: Run, status: number, lost: boolean): OutLeg | undefined {
    const { binding, attempt, index, leg } = out
    const next = binding && (status === 430 || status === 408 || lost) ? binding.other() : undefined
    if (binding && status === 430) this.#parts.edge.bindings.flowFailed(binding)
    const wire = next?.wire()
    const place = { attempt, index, role: run.role, number: leg.attempt, held: leg.held ?? FREE.held }
    if (next === undefined || wire === undefined || run.what.kind !== 'user') return undefined
    return this.#launcher.toContact(place, run.what, next, wire)
  }

  /** routing.md R8: so many INVITEs, and no more, may come of one; never of a call for help. */
  #mayFork(): boolean {
    this.#forks++
    return this.#urgent || this.#forks <= this.#parts.config().edge.forks
  }

  #user(run: Run, what: UserAttempt, { attempt, number, path }: Launch): void {
    const { seed, launched } = this.#it
    const { instance, calledBack } = seed.plan
    const all = this.#parts.edge.bindings.of(what.user, instance)
    const levels = byPreference(calledBack === undefined ? all : phonesOf(calledBack, all))
    const more = Math.max(levels.length - path - 1, 0)
    const phones = (levels[path] ?? []).flatMap((binding) => {
      const wire = binding.wire()
      return wire === undefined || !this.#mayFork() ? [] : [{ binding, wire }]
    })
    const sites = phones.map(({ binding }) => binding.site ?? this.#parts.config().users[what.user]?.site)
    this.#admitted(attempt, phoneNeeds(seed.caller.leg.identity.site, sites, this.#kbps), (admitted) => {
      const held = sharedAmong(admitted, phones.length)
      for (const { binding, wire } of phones) {
        const place = { attempt, index: run.legs.length, role: run.role, number, held }
        const out = this.#launcher.toContact(place, what, binding, wire)
        if (out) run.legs.push(out)
      }
      launched(attempt, run.legs.length, 480, more)
      sendAll(run)
    })
  }

  #trunk(run: Run, what: TrunkAttempt, paths: readonly TrunkPath[], { attempt, path: at, number }: Launch): void {
    const { seed, launched } = this.#it
    if (!this.#it.walking()) return void launched(attempt, 0)
    // RFC 5393 5: 440, Max-Breadth Exceeded
    if (!this.#mayFork()) return void launched(attempt, 0, 440)
    const path = paths[at]
    if (path === undefined) return void launched(attempt, 0, 503)
    this.#admitted(attempt, trunkNeeds(what.trunk, seed.caller.leg.identity.site, this.#kbps), (held) => {
      this.#parts.edge.trunks.callStarted(what.trunk)
      const out = this.#launcher.toTrunk({ attempt, index: 0, role: run.role, number, held }, what, path)
      if (out) run.legs.push(out)
      launched(attempt, run.legs.length, this.#launcher.why, paths.length - at - 1)
      sendAll(run)
    })
  }

  /** A call for help, or back to whoever made one: it is never counted, and never refused for want of a place. */
  get #urgent(): boolean {
    const { facts, plan } = this.#it.seed
    return facts.emergency || plan.calledBack !== undefined
  }

  /** What the offer could take at most; the answer says what it takes. */
  get #kbps(): number {
    return peakKbps(this.#it.seed.offer?.sdp)
  }

  /** The attempt goes on with its places, at once or when another edge has given some back; or it has failed. */
  #admitted(attempt: number, needs: readonly Need[], go: (held: Held) => void): void {
    const { seed, launched } = this.#it
    const { callId } = seed.facts
    const { log } = this.#parts.edge
    const decided = (admission: Admission): void => {
      if (admission.kind === 'refused') {
        this.full = admission.why
        log.info({ call: callId, why: admission.why }, 'no place for the call')
        return void launched(attempt, 0, 503)
      }
      // the caller has gone, or somebody answered, while it waited
      if (this.#it.walking()) return void go(admission.held)
      admission.held.release()
      launched(attempt, 0)
    }
    const admission = this.#parts.limits.admit(needs, this.#urgent)
    if (!(admission instanceof Promise)) return void decided(admission)
    admission.then(decided).catch((error: unknown) => {
      log.error({ call: callId, err: error }, 'an INVITE could not be made')
      launched(attempt, 0, 503)
    })
  }
}

function sendAll(run: Run): void {
  for (const { invite } of run.legs) invite.send()
}
