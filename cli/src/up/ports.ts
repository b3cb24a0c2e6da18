/** Ports that the configuration wants and somebody else has: said before anything starts. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Checked, Problem } from '@tandem/config/check.ts'
import { placeOf } from '@tandem/config/place.ts'
import type { SourceFile } from '@tandem/config/source.ts'
import { whyPortTaken } from '@tandem/testing/ports.ts'
import { Failure } from '../failure.ts'

type Configuration = Extract<Checked, { kind: 'ok' }>['configuration']

export async function refuseTakenPorts(configuration: Configuration, files: SourceFile[], api: string): Promise<void> {
  const taken: string[] = []
  for (const { name, transport, address, port } of Object.values(configuration.edge.listen)) {
    const kind = transport === 'udp' ? 'udp' : 'tcp'
    const why = await whyPortTaken(kind, address, port)
    if (why === undefined) continue
    const place: Pick<Problem, 'file' | 'line'> = placeOf(files, ['edge', 'listen', name, 'url'])
    taken.push(describe(kind, address, port, why, `edge.listen.${name} at ${place.file}:${place.line}`))
  }
  const [host, port] = splitAddress(api)
  const why = await whyPortTaken('tcp', host, port)
  if (why !== undefined) taken.push(describe('tcp', host, port, why, 'TANDEM_API, the console'))
  if (taken.length === 0) return
  throw new Failure(
    taken.length === 1 ? 'a port cannot be used' : `${taken.length} ports cannot be used`,
    'Stop the other program, or write another port there ("TANDEM_API=127.0.0.1:8081" for the console). If it is a Tandem of another folder: tandem down --data DIR',
    taken,
  )
}

function describe(kind: 'udp' | 'tcp', address: string, port: number, why: string, by: string): string {
  const what =
    why === 'EADDRINUSE'
      ? `${address}:${port} (${kind}) is in use`
      : why === 'EADDRNOTAVAIL'
        ? `${address} is not an address of this machine`
        : why === 'EACCES'
          ? `${address}:${port} (${kind}) needs more rights (ports below 1024)`
          : `${address}:${port} (${kind}): ${why}`
  return `${what}${why === 'EADDRINUSE' ? whoHas(kind, port) : ''}, wanted by ${by}`
}

/** ` by node (pid 123)`, or how to find out. */
export function whoHas(kind: 'udp' | 'tcp', port: number): string {
  if (process.platform !== 'linux') return ` (who has it: lsof -nP -i${kind.toUpperCase()}:${port})`
  const command = ['-Hlnp', kind === 'udp' ? '-u' : '-t', `sport = :${port}`]
  try {
    const said = execFileSync('ss', command, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const owner = /users:\(\("([^"]+)",pid=(\d+)/.exec(said)
    if (owner) return ` by ${commandOf(Number(owner[2])) ?? owner[1]} (pid ${owner[2]})`
  } catch {
    // no ss here
  }
  return ` (who has it: ss -Hlnp${kind === 'udp' ? 'u' : 't'} 'sport = :${port}', as root)`
}

/** Its command line, the end of it when it is long. */
function commandOf(pid: number): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ')
    return words.length > 70 ? `…${words.slice(-69)}` : words || undefined
  } catch {
    return undefined
  }
}

/** `127.0.0.1:8080`, `[::1]:8080` or `http://127.0.0.1:8080` → host and port. */
export function splitAddress(api: string): [host: string, port: number] {
  const url = new URL(/^https?:/.test(api) ? api : `http://${api}`)
  return [url.hostname.replace(/^\[|\]$/g, ''), Number(url.port || 80)]
}
