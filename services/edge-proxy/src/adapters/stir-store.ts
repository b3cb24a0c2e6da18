/**
 * Keys, trust anchors and certificates of STIR: files are read when the configuration changes; certificates of others are
 * fetched outside the call path, from the repositories that the configuration names and nowhere else, and kept an hour.
 */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Configuration } from '@tandem/config/defaults.ts'
import { type Environment, findFile, resolveSecret } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { StirStore } from '../domain/stir.ts'
import { readCertificates } from '../domain/stir-certificate.ts'

const KEEP_MS = 3_600_000
const AGAIN_MS = 60_000
const FETCH_MS = 5_000
const MOST_BYTES = 65_536
const MOST_KEPT = 1_000
const MOST_AT_ONCE = 4

interface Fetched {
  readonly chain: readonly X509Certificate[] | undefined
  readonly atMs: number
}

export function openStirStore(
  config: () => Configuration,
  env: Environment,
  log: Logger,
  now: () => number,
): StirStore {
  let loaded:
    | {
        config: Configuration
        keys: Map<string, KeyObject>
        anchors: X509Certificate[]
        given: Map<string, X509Certificate[]>
      }
    | undefined
  const fetched = new Map<string, Fetched>()
  const busy = new Set<string>()

  const pem = (file: string): string | undefined => {
    const path = findFile(file, env)
    if (path === null) return void log.error({ file }, 'a file of stir is not there')
    return readFileSync(path, 'utf8')
  }

  const load = () => {
    const current = config()
    if (loaded?.config === current) return loaded
    const keys = new Map<string, KeyObject>()
    for (const { name, stir } of Object.values(current.trunks)) {
      if (stir.sign === null) continue
      const secret = resolveSecret(stir.sign.key, env)
      try {
        if (secret.kind === 'ok') keys.set(name, p256(secret.value))
        else log.error({ trunk: name, why: secret.message }, 'calls on this trunk are not signed')
      } catch {
        // the text of a key is never logged
        log.error({ trunk: name }, 'calls on this trunk are not signed: the key is not PEM of an EC key')
      }
    }
    const { anchors, certificates } = current.edge.stir
    const read = (file: string) => readCertificates(pem(file) ?? '') ?? []
    const given = new Map(Object.entries(certificates).map(([url, file]) => [url, read(file)]))
    loaded = { config: current, keys, anchors: anchors.flatMap(read), given }
    return loaded
  }

  const fetchOne = async (x5u: string): Promise<void> => {
    busy.add(x5u)
    let chain: readonly X509Certificate[] | undefined
    try {
      const response = await fetch(x5u, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MS) })
      if (response.ok) chain = readCertificates(await bounded(response))
      else await response.body?.cancel()
    } catch (error) {
      log.info({ x5u, why: String(error) }, 'a certificate could not be fetched')
    } finally {
      busy.delete(x5u)
    }
    if (fetched.size >= MOST_KEPT) fetched.delete(fetched.keys().next().value ?? '')
    fetched.set(x5u, { chain, atMs: now() })
  }

  const mayFetch = (x5u: string): boolean => {
    if (busy.has(x5u) || busy.size >= MOST_AT_ONCE || !URL.canParse(x5u)) return false
    const { protocol, host } = new URL(x5u)
    return protocol === 'https:' && config().edge.stir.repositories.includes(host)
  }

  load()
  return {
    key: (trunk) => load().keys.get(trunk),
    anchors: () => load().anchors,
    lookup(x5u) {
      const given = load().given.get(x5u)
      if (given) return given.length > 0 ? given : 'failed'
      const found = fetched.get(x5u)
      const old = found === undefined || now() - found.atMs > (found.chain ? KEEP_MS : AGAIN_MS)
      if (old && mayFetch(x5u)) void fetchOne(x5u).catch(() => undefined)
      if (found === undefined) return 'unknown'
      return found.chain ?? 'failed'
    },
  }
}

/** RFC 8225 8: ES256 is the algorithm, so the key is on P-256. Throws for any other. */
function p256(pem: string): KeyObject {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('not P-256')
  return key
}

async function bounded(response: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.length
    if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('latin1')
}
