/**
 * The configuration as services read it: durations in ms, bandwidths in kbit/s, nothing optional (null: not there).
 * Named things carry their own name.
 */
import type { ConfigurationDocument, SecretReference } from './schema.ts'
import type { ListenTransport } from './units.ts'

export type Written<K extends keyof ConfigurationDocument> = NonNullable<ConfigurationDocument[K]>

export type Each<T> = T extends Record<string, infer V> ? V : never

export type DigestAlgorithm = 'md5' | 'sha-256' | 'sha-512-256'

export type CivicAddress = Each<Written<'locations'>>

export type NumberRule = { match: string; to: string; name?: string }

export interface Listener {
  name: string
  url: string
  transport: ListenTransport
  /** IP address without brackets */
  address: string
  port: number
  digest: readonly DigestAlgorithm[]
  certificate: string | null
  privateKey: string | null
  /** further ones, by the host name that the client asks for */
  certificates: readonly { host: string; certificate: string; privateKey: string }[]
  /** mutual TLS */
  clients: { ca: string; certificate: 'required' | 'optional' } | null
  /** host or host:port for Via and Contact when it differs from address and port */
  advertise: string | null
  srtp: Srtp
}

export type Srtp = 'off' | 'optional' | 'required'

export interface CodecPolicy {
  /** encoding names; null: all */
  allow: readonly string[] | null
  strip: readonly string[]
  order: readonly string[]
}

export interface Media {
  relay: 'embedded' | 'rtpengine'
  address: string
  firstPort: number
  lastPort: number
  control: readonly string[]
  inactivityMs: number
}

export interface Edge {
  listen: Readonly<Record<string, Listener>>
  media: Media
  registration: { minimumS: number; maximumS: number; contacts: number; flowTimerS: number }
  sessionTimerS: number
  /** A call that is up is told of and written down anew this often. */
  interimMs: number
  /** null: each edge has one of its own */
  clusterSecret: SecretReference | null
  drainMs: number
  calls: number
  /** INVITEs that may come of one */
  forks: number
  /** PEM files; chains by their x5u; hosts */
  stir: {
    anchors: readonly string[]
    certificates: Readonly<Record<string, string>>
    repositories: readonly string[]
    fetch: StirFetch
  }
  /** address[:port] of name servers; empty: those of the machine */
  dns: readonly string[]
  /** null: nothing is exported */
  capture: Capture | null
}

export interface StirFetch {
  /** PEM file; null: the authorities of the system */
  ca: string | null
  /** CIDR */
  networks: readonly string[]
}

/** A HEP3 collector: host without brackets. */
export interface Capture {
  host: string
  port: number
  id: number
  password: SecretReference | null
}

export interface Site {
  name: string
  networks: readonly string[]
  dialPlan: string | null
  location: string | null
  bandwidthKbps: number | null
  emergencyCallback: string | null
  mediaBypass: boolean
}

export interface DialRule {
  name: string
  match: string
  to: string
  internal: boolean
}

export interface DialPlan {
  name: string
  externalPrefix: string
  rules: readonly DialRule[]
}

export interface Policy {
  name: string
  usages: readonly string[]
  forward: readonly string[]
  ring: readonly string[]
  callerId: 'own' | 'suppress'
  /** E.164 shown in place of the own number */
  showAs: string | null
  /** patterns of other numbers that a phone may show */
  mayShow: readonly string[]
  otherwise: 'replace' | 'reject'
  transfer: TransferMode
  redirect: RedirectMode
}

/** What a REFER gets: docs/adr/0060. */
export type TransferMode = 'act' | 'forward' | 'reject'

export type RedirectMode = 'follow' | 'pass' | 'reject'

/** Numbers of ours; a single one has first = last. */
/** A group of users. */
export interface Pool {
  name: string
  dialPlan: string | null
}

export interface NumberEntry {
  first: string
  last: string
  user: string | null
  reserved: boolean
  /** user or E.164 */
  failover: string | null
  policy: string | null
  /** for people */
  note: string | null
}

/** A CSV that routing reads by itself. */
export interface FactSource {
  source: string
  refreshMs: number
}

export interface RouteWindow {
  days: readonly ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[]
  from: string
  to: string
}

export interface Route {
  name: string
  match: string
  except: readonly string[]
  usages: readonly string[]
  trunks: readonly string[]
  select: 'order' | 'cost'
  priority: number
  weight: number
  when: readonly RouteWindow[]
}

/** When a trunk is tried later than its place says; ratios from 0 to 1. */
export interface TrunkQualityRule {
  asr: { below: number; back: number } | null
  ner: { below: number; back: number } | null
  pdd: { aboveMs: number; backMs: number } | null
  windowMs: number
  calls: number
  /** share of calls that tries it all the same */
  probe: number
  pauseMs: number
}

export interface Trunk {
  name: string
  to: readonly string[]
  from: readonly string[]
  /** E.164 or the beginning of it */
  numbers: readonly string[]
  /** in lower case */
  hosts: readonly string[]
  listener: string
  transport: 'auto' | 'udp'
  tls: {
    /** null: those of the system */
    ca: string | null
    /** in lower case; empty: the hosts of `to` */
    names: readonly string[]
    verify: boolean
    certificate: string | null
    privateKey: string | null
    /** null: calls in are not known by a certificate */
    clientCertificate: 'required' | 'optional' | null
  } | null
  translate: {
    outbound: { called: readonly NumberRule[]; calling: readonly NumberRule[] }
    inbound: { called: readonly NumberRule[]; calling: readonly NumberRule[] }
  }
  options: { intervalMs: number; up: number; down: number; alive: readonly number[] }
  register: {
    registrar: string
    user: string
    password: SecretReference
    expiresS: number
    /** RFC 6140 */
    bulk: boolean
    nodes: 'every' | 'one'
  } | null
  /** SIP URI of the first hop of every request */
  outboundProxy: string | null
  /** digest for a carrier that challenges; those of `register` when nothing else is given */
  credentials: { user: string; password: SecretReference } | null
  /** digest that calls in must prove; null: their address is enough */
  authenticate: { user: string; password: SecretReference; digest: readonly DigestAlgorithm[] | null } | null
  /** null = no limit */
  limits: { calls: number | null; callsPerSecond: number | null; bandwidthKbps: number | null }
  quality: TrunkQualityRule | null
  emergency: boolean
  cost: string | null
  retry: readonly number[]
  timers: { noResponseMs: number; tryingOnlyMs: number }
  country: string
  dialPlan: string | null
  usages: readonly string[]
  did: 'request-uri' | 'to' | 'p-called-party-id'
  /** RFC 3262: what our INVITE says of 100rel. */
  prack: 'supported' | 'required' | 'off'
  trusted: boolean
  callerId: { allow: readonly string[]; otherwise: 'replace' | 'suppress' | 'reject'; number: string | null } | null
  priority: number
  weight: number
  when: readonly RouteWindow[]
  transfer: TransferMode
  stir: {
    sign: { x5u: string; key: SecretReference; attestation: 'auto' | 'full' | 'partial' | 'gateway' } | null
    verify: { missing: 'allow' | 'reject'; invalid: 'allow' | 'reject' } | null
  }
  /** null: that of the listener */
  srtp: Srtp | null
  codecs: CodecPolicy | null
  mediaBypass: boolean
  redirect: RedirectMode
}

export interface User {
  /** key of the user; the digest user name and the user part of the address of record */
  name: string
  displayName: string
  did: string | null
  extension: string | null
  site: string
  policy: string
  pool: string | null
  dialPlan: string | null
  mobile: string | null
  simultaneousRing: boolean
  forward: {
    always: string | null
    busy: string | null
    noAnswer: string | null
    /** as noAnswer when nothing else is said */
    unreachable: string | null
    afterMs: number
  }
  location: string | null
  costCentre: string | null
  callerId: string | null
  mayShow: readonly string[]
  emergencyCallback: string | null
  password: SecretReference
  /** null: that of the listener */
  srtp: Srtp | null
  /** null: those of the listener */
  digest: readonly DigestAlgorithm[] | null
}

export interface Wire {
  bssid: string | null
  chassis: string | null
  port: string | null
  subnet: string | null
  location: string
}

export interface Emergency {
  numbers: readonly string[]
  test: readonly string[]
  trunks: readonly string[]
  relayCentre: string | null
  desk: readonly string[]
  elins: Readonly<Record<string, readonly string[]>>
  callbackMs: number
  timers: { noResponseMs: number; tryingOnlyMs: number }
}

export type Rounding = 'half-up' | 'half-even' | 'up' | 'down'

export interface PerMinuteDeck {
  kind: 'per-minute'
  name: string
  currency: string
  /** path of the CSV, the key of `decks` in the revision */
  file: string
  firstIncrementS: number
  nextIncrementS: number
  rounding: Rounding
  decimals: number
}

export interface BandwidthDeck {
  kind: 'bandwidth'
  name: string
  currency: string
  commitKbps: number
  incrementKbps: number
  /** decimal text, per Mbit/s and calendar month */
  price: string
  percentile: number
  /** decimal text, per Mbit/s and calendar month above commit; same as price when not given */
  burst: string
}

export type RateDeck = PerMinuteDeck | BandwidthDeck

export interface Configuration {
  version: 1
  domain: string
  country: string
  timeZone: string
  /** of users and sites that name none */
  dialPlan: string | null
  edge: Edge
  sites: Readonly<Record<string, Site>>
  pools: Readonly<Record<string, Pool>>
  dialPlans: Readonly<Record<string, DialPlan>>
  policies: Readonly<Record<string, Policy>>
  routes: readonly Route[]
  trunks: Readonly<Record<string, Trunk>>
  users: Readonly<Record<string, User>>
  numbers: readonly NumberEntry[]
  /** null: none */
  numberFacts: { portability: FactSource | null; callerNames: FactSource | null }
  /** CSV files of further ones, the keys of `decks` in the revision */
  numberFiles: readonly string[]
  locations: Readonly<Record<string, CivicAddress>>
  wiremap: readonly Wire[]
  emergency: Emergency
  rateDecks: Readonly<Record<string, RateDeck>>
  /** by cost centre; markup as decimal text in percent, "10" = 10 % */
  prices: Readonly<Record<string, { deck: string; markup: string }>>
  tests: Written<'tests'>
}
