/**
 * Keys, trust anchors and certificates of STIR: files are read when the configuration changes; certificates of others are
 * fetched outside the call path, from the repositories that the configuration names and nowhere else, and kept as long as
 * their repository says.
 */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Configuration, Trunk } from '@tandem/config/defaults.ts'
import { type Environment, findFile, resolveSecret } from '@tandem/config/secrets.ts'
import type { StirStore } from '../domain/stir.ts'
import { readCertificates } from '../domain/stir-certificate.ts'
import type { Edge } from '../edge.ts'
import { fetchCertificates } from './certificate-fetch.ts'

const AGAIN_MS = 60_000
const MOST_KEPT = 1_000
const MOST_AT_ONCE = 4

interface Loaded {
  readonly config: Configuration
  readonly keys: ReadonlyMap<string, KeyObject>
  readonly anchors: readonly X509Certificate[]
  /** By x5u. */
  readonly given: ReadonlyMap<string, readonly X509Certificate[]>
  readonly ca: string | undefined
}

interface Fetched {
  readonly chain: readonly X509Certificate[] | undefined
  /** Monotonic, ms. */
  readonly untilMs: number
}

export function openStirStore(edge: Pick<Edge, 'config' | 'env' | 'log' | 'faults' | 'clock'>): StirStore {
  const { config, env, log, faults, clock } = edge
  let loaded: Loaded | undefined
  const fetched = new Map<string, Fetched>()
  const busy = new Set<string>()
  /** Trunks that sign. */
  let signing = new Set<string>()

  const load = (): Loaded => {
    const current = config()
    if (loaded?.config === current) return loaded
    const { anchors, certificates, fetch } = current.edge.stir
    const file = (what: string, name: string): string => {
      const text = textOf(name, env)
      faults.say(what, text === undefined ? `there is no file ${name}` : undefined)
      return text ?? ''
    }
    const chain = (what: string, name: string) => {
      const text = file(what, name)
      const found = readCertificates(text)
      if (text !== '') faults.say(what, found ? undefined : `${name} holds no certificate (PEM)`)
      return found ?? []
    }
    const given = new Map(Object.entries(certificates).map(([url, name]) => [url, chain(`stir ${url}`, name)]))
    const keys = new Map<string, KeyObject>()
    const signs = new Set<string>()
    for (const trunk of Object.values(current.trunks)) {
      if (trunk.stir.sign === null) continue
      signs.add(trunk.name)
      const [key, why] = keyOf(trunk.stir.sign, env, given, clock.wall())
      if (key) keys.set(trunk.name, key)
      faults.say(`trunk ${trunk.name} stir`, why && `calls on this trunk are not signed: ${why}`)
    }
    for (const name of signing) if (!signs.has(name)) faults.say(`trunk ${name} stir`, undefined)
    signing = signs
    const trusted = anchors.flatMap((name) => chain(`stir anchor ${name}`, name))
    const ca = fetch.ca === null ? undefined : file('stir fetch ca', fetch.ca)
    loaded = { config: current, keys, anchors: trusted, given, ca }
    return loaded
  }

  const fetchOne = async (x5u: string, before: Fetched | undefined): Promise<void> => {
    busy.add(x5u)
    const { config: current, ca } = load()
    let next: Fetched
    try {
      const { text, keepMs } = await fetchCertificates(x5u, current.edge.stir.fetch, ca)
      const chain = readCertificates(text)
      if (chain === undefined) throw new Error('it holds no certificate (PEM)')
      next = { chain, untilMs: clock.now() + keepMs }
    } catch (error) {
      log.info({ x5u, why: (error as Error).message }, 'a certificate could not be fetched')
      // one that was fetched before goes on: its own dates are looked at with every call
      next = { chain: before?.chain, untilMs: clock.now() + AGAIN_MS }
    } finally {
      busy.delete(x5u)
    }
    if (fetched.size >= MOST_KEPT) fetched.delete(fetched.keys().next().value ?? '')
    fetched.set(x5u, next)
  }

  const mayFetch = (x5u: string): boolean => {
    if (busy.has(x5u) || busy.size >= MOST_AT_ONCE || !URL.canParse(x5u)) return false
    const { protocol, host, username, password } = new URL(x5u)
    if (protocol !== 'https:' || username !== '' || password !== '') return false
    return config().edge.stir.repositories.includes(host)
  }

  load()
  return {
    key: (trunk) => load().keys.get(trunk),
    anchors: () => load().anchors,
    lookup(x5u) {
      const given = load().given.get(x5u)
      if (given) return given.length > 0 ? given : 'failed'
      const found = fetched.get(x5u)
      const old = found === undefined || clock.now() > found.untilMs
      if (old && mayFetch(x5u)) void fetchOne(x5u, found).catch(() => undefined)
      if (found === undefined) return 'unknown'
      return found.chain ?? 'failed'
    },
  }
}

function textOf(name: string, env: Environment): string | undefined {
  try {
    const path = findFile(name, env)
    return path === null ? undefined : readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

type Sign = NonNullable<Trunk['stir']['sign']>

/** The key, or why calls go out unsigned. No text of a key is ever in it. */
function keyOf(
  { key, x5u }: Sign,
  env: Environment,
  given: Loaded['given'],
  wallMs: number,
): [KeyObject, undefined] | [undefined, string] {
  const secret = resolveSecret(key, env)
  // a key is nothing that could be made up
  if (secret.kind === 'missing') return [undefined, 'env' in key ? `the environment has no ${key.env}` : secret.message]
  const found = p256(secret.value)
  if (found === undefined) return [undefined, 'the key is not PEM of an EC key on P-256']
  const leaf = given.get(x5u)?.[0]
  if (leaf === undefined) return [found, undefined]
  if (!leaf.checkPrivateKey(found)) return [undefined, `the key is not that of the certificate of ${x5u}`]
  // RFC 8224 6.1: "MUST verify that ... the current time fall[s] within the validity period of its credential"
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
  if (wallMs < from || wallMs > to)
    return [undefined, `the certificate of ${x5u} is valid from ${leaf.validFrom} to ${leaf.validTo}`]
  return [found, undefined]
}

/** RFC 8225 8: ES256 is the algorithm, so the key is on P-256. */
function p256(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}
