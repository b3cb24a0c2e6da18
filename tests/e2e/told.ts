/** All that a running platform tells of itself, and all that it must not tell. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceNames } from '@tandem/contracts/contract.ts'
import type { Collector } from './collector.ts'
import type { Platform } from './platform.ts'

/** Where it was told, and what. */
export type Told = readonly (readonly [where: string, text: string])[]

/** Logs, traces, metrics, what every GET of the API answers (for each of the calls), and the history as people read it. */
export async function allThatIsTold(
  platform: Platform,
  collector: Collector,
  callIds: readonly string[],
): Promise<Told> {
  const told: [string, string][] = []
  const logs = join(platform.data, 'logs')
  for (const name of await readdir(logs)) told.push([`log ${name}`, await readFile(join(logs, name), 'latin1')])
  for (const body of collector.bodies) told.push(['trace', body])
  for (const service of serviceNames) {
    const metrics = await fetch(`${await platform.healthUrl(service)}/metrics`)
    told.push([`metrics of ${service}`, await metrics.text()])
  }
  const token = (await readFile(join(platform.data, 'secrets', 'api-token'), 'utf8')).trim()
  const ask = async (path: string): Promise<Response> =>
    await fetch(platform.api + path, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(30_000),
    })
  const { paths } = (await (await ask('/api/docs/json')).json()) as { paths: Record<string, { get?: unknown }> }
  for (const [path, { get }] of Object.entries(paths)) {
    if (get === undefined) continue
    for (const one of path.includes('{id}') ? callIds.map((id) => path.replace('{id}', id)) : [path])
      told.push([`GET ${one}`, await bodyOf(await ask(filled(one)))])
  }
  for (const args of [['history'], ['ladder', callIds[0] as string]]) {
    const { stdout, stderr } = await platform.tandem(...args)
    told.push([`tandem ${args.join(' ')}`, stdout + stderr])
  }
  return told
}

const filled = (path: string): string =>
  path.replace('{revision}', '1').replace('{user}', 'alice').replace('{number}', encodeURIComponent('+14255551001'))

/** Of a stream of events: what stands at its beginning. */
async function bodyOf(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return Buffer.from(await response.arrayBuffer()).toString('latin1')
  const reader = response.body?.getReader()
  const late = setTimeout(() => void reader?.cancel(), 500)
  let text = ''
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { done: true }
    if (done) break
    text += Buffer.from(value ?? []).toString('latin1')
  }
  clearTimeout(late)
  return text
}

/** Passwords and what stands for them, keys, tokens: of everybody here. `seen`: SIP messages that peers received. */
export async function secretsOf(platform: Platform, seen: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const keep = (what: string, secret: string) => void (secret.length >= 8 && found.set(secret, what))
  const keepKey = (what: string, text: string) => {
    const lines = text.split('\n').map((line) => line.trim())
    for (const line of lines) if (!/^(-----|[[{}\]])/.test(line)) keep(what, line)
  }
  const all = seen.join('\n')
  const realms = new Set([...all.matchAll(/realm="([^"]+)"/g)].map((m) => m[1] as string))
  for (const [name, value] of Object.entries(platform.secrets)) {
    if (!/PASSWORD|KEY|SECRET|TOKEN/.test(name)) continue
    keepKey(name, value)
    const users = [name.split('_')[0]?.toLowerCase() ?? '', 'acme']
    for (const realm of realms)
      for (const user of users)
        for (const algorithm of ['md5', 'sha256'])
          keep(`HA1 of ${user}`, createHash(algorithm).update(`${user}:${realm}:${value}`).digest('hex'))
  }
  for (const [, response] of all.matchAll(/\bresponse="([0-9a-f]{32,})"/g)) keep('digest', response as string)
  for (const [, key] of all.matchAll(/inline:([A-Za-z0-9+/=]+)/g)) keep('SDES key', key as string)
  for (const name of await readdir(join(platform.data, 'secrets'), { recursive: true })) {
    if (/\.(pem|json)$/.test(name)) continue
    const text = await readFile(join(platform.data, 'secrets', name), 'utf8').catch(() => '')
    keepKey(`secrets/${name}`, text)
  }
  const nats = await readFile(join(platform.data, 'run', 'nats.conf'), 'utf8')
  for (const [, password] of nats.matchAll(/password: "([^"]+)"/g)) keep('NATS password', password as string)
  return found
}
