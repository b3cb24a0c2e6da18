/**
 * Which of several places is believed (location.md L8): a pure function over the evidence. The first rung that has a place
 * decides; a rung whose place could be false where the caller is now has none, so the answer may be "unknown".
 */
import type { Located } from '@tandem/contracts/location.ts'
import type { Place } from '@tandem/contracts/values.ts'

export interface Found {
  readonly place: Place
  /** Wall clock, ms: when this was learnt; now, for what the network says of this moment. */
  readonly at: number
}

export interface Evidence {
  /** What the device reports, found in the wiremap. */
  readonly bssid?: Found
  readonly port?: Found
  readonly chassis?: Found
  /** The address from which the call came, found in the wiremap. */
  readonly subnet?: Found
  readonly mac?: Found
  /** The user said so for this very network. */
  readonly userConfirmed?: Found
  /** The operating system's own fix; `edited` when the user changed what it said. */
  readonly osFix?: Found & { readonly confirmed: boolean; readonly edited: boolean }
  /** PIDF-LO of a phone. `trusted`: of an authenticated user; `measured`: learnt from the network and not typed in. */
  readonly pidfLo?: Found & { readonly trusted: boolean; readonly measured: boolean }
  /** Assigned to the number or user. `onSite`: the call came from the user's own site; undefined when nobody can tell. */
  readonly assigned?: Found & { readonly onSite: boolean | undefined }
  /** The default of the site whose networks hold the source address; of no other site. */
  readonly site?: Found
}

export type Decision =
  | {
      readonly kind: 'found'
      readonly place: Place
      readonly source: Located['source']
      /** 0 to 1. */
      readonly confidence: number
      readonly at: number
      readonly routeClass: Located['routeClass']
    }
  | { readonly kind: 'unknown'; readonly why: string }

/** The operating system's fix is believed this long, ms. */
export const FIX_FRESH_MS = 120_000

type Rung = (evidence: Evidence, now: number) => Decision | undefined

/** What the administrator has defined of the network: straight to the PSAP. */
function network(source: 'bssid' | 'port' | 'chassis' | 'subnet' | 'mac' | 'site', confidence: number): Rung {
  return (evidence) => found(source, evidence[source], confidence, 'direct')
}

function found(
  source: Located['source'],
  what: Found | undefined,
  confidence: number,
  routeClass: Located['routeClass'],
): Decision | undefined {
  return what && { kind: 'found', place: what.place, source, confidence, at: what.at, routeClass }
}

const ladder: readonly Rung[] = [
  network('bssid', 0.95),
  network('port', 0.95),
  network('chassis', 0.8),
  network('subnet', 0.75),
  network('mac', 0.7),
  ({ userConfirmed }) => found('user-confirmed', userConfirmed, 0.7, 'screened'),
  ({ osFix }, now) => {
    if (!osFix || now - osFix.at > FIX_FRESH_MS) return undefined
    // confirmed as it was: straight to the PSAP; unconfirmed or edited: a person asks first
    const sure = osFix.confirmed && !osFix.edited
    return found('os-fix', osFix, sure ? 0.7 : 0.5, sure ? 'direct' : 'screened')
  },
  ({ pidfLo }) => {
    if (!pidfLo?.trusted) return undefined
    return found('pidf-lo', pidfLo, pidfLo.measured ? 0.7 : 0.5, pidfLo.measured ? 'direct' : 'screened')
  },
  ({ assigned }) => {
    // off-site, the address of the desk would be a false one; where nobody can tell, somebody has to ask
    if (!assigned || assigned.onSite === false) return undefined
    return found('static', assigned, assigned.onSite ? 0.6 : 0.4, assigned.onSite ? 'direct' : 'screened')
  },
  network('site', 0.4),
]

export function decidePlace(evidence: Evidence, now: number): Decision {
  for (const rung of ladder) {
    const decision = rung(evidence, now)
    if (decision) return decision
  }
  const why = evidence.assigned
    ? 'the caller is not on the site of the assigned address, and nothing else is known'
    : 'nothing is known about where the caller is'
  return { kind: 'unknown', why }
}
