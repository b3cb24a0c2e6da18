/** An enterprise as the slow model sees it: what a person writes in the configuration, and nothing that is made of it. */
export type Rule = { name: string; match: string; to: string; internal?: boolean }
export type Plan = { externalPrefix?: string; rules: Rule[] }
export type Route = {
  name: string
  match: string
  except?: string[]
  usages: string[]
  trunks: string[]
  priority?: number
  weight?: number
  select?: 'order' | 'cost'
  when?: Window[]
}
/** Hours in `timeZone`; an end before the beginning is on the next day. */
export type Window = { days?: string[]; from?: string; to?: string }
/** Price of a further minute by prefix, in effect from and before two instants. */
export type Price = { prefix: string; perMinute: string; from?: string; to?: string }
/** `bandwidth` costs nothing more for one more call. */
export type Deck = { kind: 'bandwidth' } | { kind: 'per-minute'; rows: Price[] }
export type Translation = { match: string; to: string }
export type Translations = { called?: Translation[]; calling?: Translation[] }
export type Trunk = {
  emergency: boolean
  priority?: number
  weight?: number
  when?: Window[]
  cost?: string
  usages?: string[]
  translate: { outbound: Translations; inbound: Translations }
  dialPlan?: string
  country?: 'US' | 'GB'
  did?: 'request-uri' | 'to' | 'p-called-party-id'
  callerId?: { allow: string[]; otherwise?: 'replace' | 'suppress' | 'reject'; number?: string }
  retry?: number[]
  timers?: { noResponse: string; tryingOnly: string }
  limits?: { calls?: number; callsPerSecond?: number; bandwidth?: string }
}
export type Forward = {
  always?: string
  busy?: string
  noAnswer?: string | { to: string; after?: string }
  unreachable?: string
  after?: string
}
export type User = {
  did?: string
  extension?: string
  name?: string
  site: string
  pool?: string
  policy: string
  dialPlan?: string
  mobile?: string
  simultaneousRing?: boolean
  forward?: Forward
  callerId?: string
  mayShow?: string[]
  emergencyCallback?: string
  costCentre?: string
}
export type Policy = {
  usages: string[]
  forward?: string[]
  ring?: string[]
  callerId?: 'own' | 'suppress'
  showAs?: string
  mayShow?: string[]
  otherwise?: 'replace' | 'reject'
}
/** A number of ours, or a range of them. */
export type OurNumber = {
  number?: string
  range?: string
  user?: string
  reserved?: boolean
  failover?: string
  policy?: string
}
export type Enterprise = {
  timeZone: string
  domain: string
  decks: Record<string, Deck>
  dialPlan?: string
  sites: Record<string, { dialPlan?: string; emergencyCallback?: string }>
  pools: Record<string, { dialPlan?: string }>
  dialPlans: Record<string, Plan>
  policies: Record<string, Policy>
  routes: Route[]
  trunks: Record<string, Trunk>
  users: Record<string, User>
  numbers: OurNumber[]
  /** How many of `numbers`, from the end, stand in a file of their own. */
  numbersInFile: number
  emergency: {
    numbers: string[]
    test: string[]
    trunks: string[]
    relayCentre?: string
    elins: Record<string, string[]>
    deskUsers: string[]
  }
}
/** When the call is made, and what is known of trunks and of numbers elsewhere then. */
export type Moment = {
  at: number
  down: string[]
  /** Of bad quality, with the share of calls (0 to 1) that tries it in its ordinary place all the same. */
  poor: Record<string, number>
  /** number → routing number */
  ported: Record<string, string>
  /** number → name of who has it */
  names: Record<string, string>
  /** Calls that each trunk carries. */
  carried: Record<string, number>
}
