/**
 * The configuration as services read it: every default filled in, durations in ms, bandwidths in kbit/s, frozen.
 * Pure: the same document gives the same configuration everywhere. Named things carry their own name.
 */
import { readRule, type WrittenRule } from './rule-form.ts'
import type { ConfigurationDocument, SecretReference } from './schema.ts'
import {
  type ListenTransport,
  parseBandwidth,
  parseCollectorUrl,
  parseDuration,
  parseListenUrl,
  parsePortRange,
} from './units.ts'

type Written<K extends keyof ConfigurationDocument> = NonNullable<ConfigurationDocument[K]>
type Each<T> = T extends Record<string, infer V> ? V : never
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

/** routing.md R4 */
export const RETRY_STATUS: readonly number[] = [408, 500, 502, 503, 504]
export const TIMERS = { noResponseMs: 4_000, tryingOnlyMs: 10_000 } as const
export const EMERGENCY_TIMERS = { noResponseMs: 2_000, tryingOnlyMs: 5_000 } as const

const ms = (written: string | undefined, otherwise: number) =>
  written === undefined ? otherwise : parseDuration(written)
const seconds = (written: string | undefined, otherwise: number) => Math.floor(ms(written, otherwise * 1000) / 1000)
const kbps = (written: string | undefined) => (written === undefined ? null : parseBandwidth(written))

function each<T, R>(record: Record<string, T> | undefined, build: (name: string, value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, build(name, value)]))
}

function edge(e: Written<'edge'>): Edge {
  const listen = each(e.listen, (name, l) => ({
    name,
    url: l.url,
    ...parseListenUrl(l.url),
    digest: l.digest ?? (['sha-256', 'md5'] as DigestAlgorithm[]),
    certificate: l.certificate ?? null,
    privateKey: l.privateKey ?? null,
    certificates: l.certificates ?? [],
    clients: l.clients ? { ca: l.clients.ca, certificate: l.clients.certificate ?? 'required' } : null,
    advertise: l.advertise ?? null,
    // over a readable way a key in the description protects nothing (RFC 4568 8)
    srtp: l.srtp ?? (parseListenUrl(l.url).transport === 'tls' ? 'optional' : ('off' as Srtp)),
  }))
  const ports = parsePortRange(e.media.ports ?? '20000-29999')
  return {
    listen,
    media: {
      relay: e.media.relay,
      address: e.media.address ?? Object.values(listen)[0]?.address ?? '127.0.0.1',
      firstPort: ports.first,
      lastPort: ports.last,
      control: e.media.control ?? [],
      inactivityMs: ms(e.media.inactivity, 60_000),
    },
    registration: {
      minimumS: seconds(e.registration?.minimum, 60),
      maximumS: seconds(e.registration?.maximum, 3600),
      contacts: e.registration?.contacts ?? 10,
      flowTimerS: seconds(e.registration?.flowTimer, 120),
    },
    sessionTimerS: seconds(e.sessionTimer, 1800),
    interimMs: ms(e.interim, 60_000),
    clusterSecret: e.cluster?.secret ?? null,
    drainMs: ms(e.drain, 30_000),
    calls: e.calls ?? 10_000,
    forks: e.forks ?? 20,
    stir: {
      anchors: e.stir?.anchors ?? [],
      certificates: e.stir?.certificates ?? {},
      repositories: e.stir?.repositories ?? [],
      fetch: { ca: e.stir?.fetch?.ca ?? null, networks: e.stir?.fetch?.networks ?? [] },
    },
    dns: e.dns ?? [],
    capture: e.capture
      ? {
          ...parseCollectorUrl(e.capture.hep),
          id: e.capture.id ?? 2001,
          password: e.capture.password ?? null,
        }
      : null,
  }
}

/** The check has seen to it that every form can be built. */
function numberRule(written: WrittenRule): NumberRule {
  const rule = readRule(written)
  const { match, to } = rule.kind === 'rule' ? rule : { match: '^$', to: '' }
  return { match, to, ...(written.name === undefined ? {} : { name: written.name }) }
}

/** `40%` → 0.4 */
const share = (written: string): number => Number(written.slice(0, -1)) / 100

function quality(q: Each<Written<'trunks'>>['quality']): TrunkQualityRule | null {
  if (q === undefined) return null
  const ratio = (r: { below: string; back?: string } | undefined) => {
    if (r === undefined) return null
    const below = share(r.below)
    return { below, back: r.back === undefined ? Math.min(1, below + 0.1) : share(r.back) }
  }
  const aboveMs = ms(q.pdd?.above, 0)
  return {
    asr: ratio(q.asr),
    ner: ratio(q.ner),
    pdd: q.pdd === undefined ? null : { aboveMs, backMs: ms(q.pdd.back, aboveMs * 0.8) },
    windowMs: ms(q.window, 15 * 60_000),
    calls: q.calls ?? 30,
    probe: share(q.probe ?? '5%'),
    pauseMs: ms(q.pause, 30 * 60_000),
  }
}

function trunk(name: string, t: Each<Written<'trunks'>>, country: string): Trunk {
  const way = (d: { called?: WrittenRule[]; calling?: WrittenRule[] } | undefined) => ({
    called: (d?.called ?? []).map(numberRule),
    calling: (d?.calling ?? []).map(numberRule),
  })
  const register = t.register
    ? {
        registrar: t.register.registrar,
        user: t.register.user,
        password: t.register.password,
        expiresS: seconds(t.register.expires, 600),
        bulk: t.register.bulk ?? false,
        nodes: t.register.nodes ?? ('every' as const),
      }
    : null
  return {
    name,
    to: t.to,
    from: t.from ?? [],
    numbers: t.numbers ?? [],
    hosts: (t.hosts ?? []).map((h) => h.toLowerCase()),
    listener: t.listener,
    transport: t.transport ?? 'auto',
    tls: t.tls
      ? {
          ca: t.tls.ca ?? null,
          names: (t.tls.names ?? []).map((n) => n.toLowerCase()),
          verify: t.tls.verify ?? true,
          certificate: t.tls.certificate ?? null,
          privateKey: t.tls.privateKey ?? null,
          clientCertificate: t.tls.clientCertificate ?? null,
        }
      : null,
    translate: { outbound: way(t.translate?.outbound), inbound: way(t.translate?.inbound) },
    options: {
      intervalMs: ms(t.options?.interval, 30_000),
      up: t.options?.up ?? 1,
      down: t.options?.down ?? 3,
      alive: t.options?.alive ?? [],
    },
    register,
    outboundProxy: t.outboundProxy ?? null,
    credentials: t.credentials ?? (register && { user: register.user, password: register.password }),
    authenticate: t.authenticate ? { ...t.authenticate, digest: t.authenticate.digest ?? null } : null,
    limits: {
      calls: t.limits?.calls ?? null,
      callsPerSecond: t.limits?.callsPerSecond ?? null,
      bandwidthKbps: kbps(t.limits?.bandwidth),
    },
    quality: quality(t.quality),
    emergency: t.emergency ?? false,
    cost: t.cost ?? null,
    retry: t.retry ?? RETRY_STATUS,
    timers: {
      noResponseMs: ms(t.timers?.noResponse, TIMERS.noResponseMs),
      tryingOnlyMs: ms(t.timers?.tryingOnly, TIMERS.tryingOnlyMs),
    },
    country: t.country ?? country,
    dialPlan: t.dialPlan ?? null,
    usages: t.usages ?? [],
    did: t.did ?? 'request-uri',
    prack: t.prack ?? 'supported',
    trusted: t.trusted ?? false,
    callerId: t.callerId
      ? {
          allow: t.callerId.allow,
          otherwise: t.callerId.otherwise ?? 'replace',
          number: t.callerId.number ?? null,
        }
      : null,
    priority: t.priority ?? 0,
    weight: t.weight ?? 0,
    when: windows(t.when),
    transfer: t.transfer ?? 'reject',
    stir: {
      sign: t.stir?.sign ? { ...t.stir.sign, attestation: t.stir.sign.attestation ?? 'auto' } : null,
      verify: t.stir?.verify
        ? { missing: t.stir.verify.missing ?? 'allow', invalid: t.stir.verify.invalid ?? 'allow' }
        : null,
    },
    srtp: t.srtp ?? null,
    codecs: t.codecs
      ? { allow: t.codecs.allow ?? null, strip: t.codecs.strip ?? [], order: t.codecs.order ?? [] }
      : null,
    mediaBypass: t.mediaBypass ?? false,
    redirect: t.redirect ?? 'reject',
  }
}

function user(name: string, u: Each<Written<'users'>>): User {
  return {
    name,
    displayName: u.name ?? name,
    did: u.did ?? null,
    extension: u.extension ?? null,
    site: u.site,
    policy: u.policy,
    pool: u.pool ?? null,
    dialPlan: u.dialPlan ?? null,
    mobile: u.mobile ?? null,
    simultaneousRing: u.simultaneousRing ?? false,
    forward: forwarding(u.forward),
    location: u.location ?? null,
    costCentre: u.costCentre ?? null,
    callerId: u.callerId ?? null,
    mayShow: u.mayShow ?? [],
    emergencyCallback: u.emergencyCallback ?? null,
    password: u.password,
    srtp: u.srtp ?? null,
    digest: u.digest ?? null,
  }
}

function forwarding(f: Each<Written<'users'>>['forward']): User['forward'] {
  const noAnswer = typeof f?.noAnswer === 'string' ? { to: f.noAnswer } : f?.noAnswer
  return {
    always: f?.always ?? null,
    busy: f?.busy ?? null,
    noAnswer: noAnswer?.to ?? null,
    unreachable: f?.unreachable ?? noAnswer?.to ?? null,
    afterMs: ms(noAnswer?.after ?? f?.after, 20_000),
  }
}

function rateDeck(name: string, d: Each<Written<'rateDecks'>>): RateDeck {
  if (d.kind === 'bandwidth') {
    return {
      kind: 'bandwidth',
      name,
      currency: d.currency,
      commitKbps: parseBandwidth(d.commit),
      incrementKbps: parseBandwidth(d.increment ?? '1Mbit/s'),
      price: d.price,
      percentile: d.percentile ?? 95,
      burst: d.burst ?? d.price,
    }
  }
  const [first, next] = (d.increments ?? '60/60').split('/').map(Number) as [number, number]
  return {
    kind: 'per-minute',
    name,
    currency: d.currency,
    file: d.file,
    firstIncrementS: first,
    nextIncrementS: next,
    rounding: d.rounding ?? 'half-up',
    decimals: d.decimals ?? 4,
  }
}

function emergency(e: Written<'emergency'>): Emergency {
  return {
    numbers: e.numbers,
    test: e.test ?? [],
    trunks: e.trunks,
    relayCentre: e.relayCentre ?? null,
    desk: e.desk ?? [],
    elins: e.elins ?? {},
    callbackMs: ms(e.callback, 30 * 60_000),
    timers: {
      noResponseMs: ms(e.timers?.noResponse, EMERGENCY_TIMERS.noResponseMs),
      tryingOnlyMs: ms(e.timers?.tryingOnly, EMERGENCY_TIMERS.tryingOnlyMs),
    },
  }
}

function route(r: Written<'routes'>[number]): Route {
  return {
    name: r.name,
    match: r.match,
    except: r.except ?? [],
    usages: r.usages,
    trunks: r.trunks,
    select: r.select ?? 'order',
    priority: r.priority ?? 0,
    weight: r.weight ?? 0,
    when: windows(r.when),
  }
}

function windows(written: Written<'routes'>[number]['when']): RouteWindow[] {
  return (written ?? []).map((w) => ({
    days: w.days ?? (['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const),
    from: w.from ?? '00:00',
    to: w.to ?? '24:00',
  }))
}

function numberEntry(n: Written<'numbers'>[number]): NumberEntry {
  const [first, last] = n.range === undefined ? [n.number, n.number] : n.range.split('-')
  return {
    first: first ?? '',
    last: last ?? '',
    user: n.user ?? null,
    reserved: n.reserved ?? false,
    failover: n.failover ?? null,
    policy: n.policy ?? null,
    note: n.note ?? null,
  }
}

const factSource = (written: { source: string; refresh?: string } | undefined): FactSource | null =>
  written === undefined ? null : { source: written.source, refreshMs: Math.max(ms(written.refresh, 3_600_000), 1000) }

/** Fill in every default. The document has passed the schema; call `checkConfiguration` for what a person wrote. */
export function resolveConfiguration(d: ConfigurationDocument): Configuration {
  const country = d.country ?? 'US'
  return deepFreeze({
    version: 1,
    domain: d.domain,
    country,
    timeZone: d.timeZone ?? 'UTC',
    dialPlan: d.dialPlan ?? null,
    edge: edge(d.edge),
    sites: each(d.sites, (name, s) => ({
      name,
      networks: s.networks ?? [],
      dialPlan: s.dialPlan ?? null,
      location: s.location ?? null,
      bandwidthKbps: kbps(s.bandwidth),
      emergencyCallback: s.emergencyCallback ?? null,
      mediaBypass: s.mediaBypass ?? false,
    })),
    pools: each(d.pools, (name, p) => ({ name, dialPlan: p.dialPlan ?? null })),
    dialPlans: each(d.dialPlans, (name, p) => ({
      name,
      externalPrefix: p.externalPrefix ?? '',
      rules: p.rules.map((r) => ({ ...numberRule(r), name: r.name, internal: r.internal ?? false })),
    })),
    policies: each(d.policies, (name, p) => ({
      name,
      usages: p.usages,
      forward: p.forward ?? p.usages,
      ring: p.ring ?? p.usages,
      callerId: p.callerId ?? 'own',
      showAs: p.showAs ?? null,
      mayShow: p.mayShow ?? [],
      otherwise: p.otherwise ?? 'replace',
      transfer: p.transfer ?? 'act',
      redirect: p.redirect ?? 'follow',
    })),
    routes: (d.routes ?? []).map(route),
    trunks: each(d.trunks, (name, t) => trunk(name, t, country)),
    users: each(d.users, user),
    numberFacts: {
      portability: factSource(d.numberFacts?.portability),
      callerNames: factSource(d.numberFacts?.callerNames),
    },
    numbers: (d.numbers ?? []).filter((n) => n.file === undefined).map(numberEntry),
    numberFiles: (d.numbers ?? []).flatMap((n) => n.file ?? []),
    locations: d.locations ?? {},
    wiremap: (d.wiremap ?? []).map((w) => ({
      bssid: w.bssid ?? null,
      chassis: w.chassis ?? null,
      port: w.port ?? null,
      subnet: w.subnet ?? null,
      location: w.location,
    })),
    emergency: emergency(d.emergency),
    rateDecks: each(d.rateDecks, rateDeck),
    prices: each(d.prices, (_, p) => ({ deck: p.deck, markup: (p.markup ?? '0%').slice(0, -1) })),
    tests: d.tests ?? [],
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
