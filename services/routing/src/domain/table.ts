import type { DialPlan } from '@tandem/numbers/dial-plan.ts'
import type { Pattern } from '@tandem/numbers/pattern.ts'
import type { Translations } from '@tandem/numbers/translate.ts'
import type { Inventory } from './inventory.ts'
import type { Blocks, Owners } from './owned-numbers.ts'
import type { TimeWindows } from './time-windows.ts'
import type { VendorCost } from './vendor-cost.ts'

/** A trunk as the router sees it; the edge knows how to reach it. */
export type RoutedTrunk = {
  readonly name: string
  /** ISO 3166: how this carrier's national numbers are read. */
  readonly country: string
  /** Calling code of that country, digits. */
  readonly callingCode: string
  /** Numbers as this carrier wants to see them. */
  readonly outbound: { readonly called: Translations; readonly calling: Translations }
  /** Numbers as this carrier sends them, mended before they are read. */
  readonly inbound: { readonly called: Translations; readonly calling: Translations }
  /** For calls that arrive on it. */
  readonly dialPlan: DialPlan | undefined
  readonly did: 'request-uri' | 'to' | 'p-called-party-id'
  /** Numbers that may be shown to this carrier; undefined = all. */
  readonly callerId: CallerIdPolicy | undefined
  readonly priority: number
  readonly weight: number
  readonly windows: TimeWindows | undefined
  /** Sees P-Asserted-Identity (RFC 3325). */
  readonly trusted: boolean
  /** Usages of calls that arrive on it and are for nobody here; none = PSTN to PSTN is refused. */
  readonly transit: Authority
  readonly retry: number[]
  readonly noResponseMs: number
  readonly onlyTryingMs: number
  readonly cost: VendorCost | undefined
  /** Held to by the edges; here for `explain`. Null: none. */
  readonly limits: {
    readonly calls: number | null
    readonly callsPerSecond: number | null
    readonly bandwidthKbps: number | null
  }
}

export type CallerIdPolicy = {
  readonly allow: readonly Pattern[]
  readonly otherwise: 'replace' | 'suppress' | 'reject'
  readonly number: string | undefined
}

export type RoutedRoute = {
  readonly name: string
  readonly pattern: Pattern
  readonly except: readonly Pattern[]
  readonly usages: readonly string[]
  readonly trunks: readonly RoutedTrunk[]
  readonly select: 'order' | 'cost'
  /** Lower first. */
  readonly priority: number
  /** Share among routes of the same priority; 0 for all = in the order of the file. */
  readonly weight: number
  readonly windows: TimeWindows | undefined
}

/** What somebody may call: PSTN usages in order, each with its routes by priority and then as in the file. */
export type Authority = {
  /** For words: `policy staff`, `ring usages of policy staff`. */
  readonly owner: string
  readonly usages: readonly { readonly name: string; readonly routes: readonly RoutedRoute[] }[]
}

export type ForwardTarget =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'number'; readonly number: string }

export type RoutedPolicy = {
  readonly usages: Authority
  readonly forward: Authority
  readonly ring: Authority
  /** The PSTN is not told who calls. */
  readonly suppress: boolean
  /** Shown in place of the own number. */
  readonly showAs: string | undefined
  /** Other numbers that a phone may show. */
  readonly mayShow: readonly Pattern[]
  readonly otherwise: 'replace' | 'reject'
}

export type RoutedUser = {
  readonly name: string
  readonly display: string
  readonly did: string | undefined
  readonly site: string
  readonly costCentre: string | undefined
  /** The user's own, or that of the user's pool; it goes before the site's. */
  readonly dialPlan: DialPlan | undefined
  /** In words: `of user alice`, `of pool east`. */
  readonly dialPlanFrom: string
  readonly policy: RoutedPolicy
  /** What the PSTN is shown, E.164, unless the policy suppresses it; undefined = anonymous. */
  readonly shows: string | undefined
  readonly mayShow: readonly Pattern[]
  /** Where emergency services call back, E.164. */
  readonly callback: string | undefined
  readonly mobile: string | undefined
  readonly simultaneousRing: boolean
  readonly always: ForwardTarget | undefined
  readonly busy: ForwardTarget | undefined
  readonly noAnswer: ForwardTarget | undefined
  readonly unreachable: ForwardTarget | undefined
  readonly afterMs: number
}

export type RoutedSite = {
  readonly name: string
  readonly dialPlan: DialPlan | undefined
  readonly elin: string | undefined
  readonly callback: string | undefined
}

export type EmergencyRouting = {
  readonly numbers: ReadonlySet<string>
  readonly test: ReadonlySet<string>
  /** Both of them. */
  readonly all: ReadonlySet<string>
  /** Outside-line prefixes of every dial plan: for callers of whom nothing is known. */
  readonly prefixes: readonly string[]
  /** Named ones first, then every other that takes emergency calls. */
  readonly ladder: readonly RoutedTrunk[]
  readonly others: readonly RoutedTrunk[]
  readonly relayCentre: string | undefined
  /** Users of the desk: the last rung. */
  readonly desk: readonly string[]
  readonly noResponseMs: number
  readonly onlyTryingMs: number
}

/** Everything of one configuration revision, ready to decide. Never changed; a new revision is a new table. */
export type RoutingTable = {
  readonly revision: number
  readonly domain: string
  readonly country: string
  readonly timeZone: string
  /** The global one: for users and sites that have none. */
  readonly dialPlan: DialPlan | undefined
  readonly emergency: EmergencyRouting
  readonly users: ReadonlyMap<string, RoutedUser>
  /** E.164 → who has it. */
  readonly dids: Owners
  /** What is ours, also where nobody has it. */
  readonly inventory: Inventory
  /** `site extension` → who has it. */
  readonly extensions: ReadonlyMap<string, RoutedUser>
  /** Extensions that only one user of the whole enterprise has. */
  readonly soleExtensions: ReadonlyMap<string, RoutedUser>
  /** Thousands in which we have numbers (`blockOf`): a call to a neighbour is a wrong number, not a call through. */
  readonly blocks: Blocks
  readonly sites: ReadonlyMap<string, RoutedSite>
  readonly trunks: ReadonlyMap<string, RoutedTrunk>
  /** In the order of the file. */
  readonly routes: readonly RoutedRoute[]
}
