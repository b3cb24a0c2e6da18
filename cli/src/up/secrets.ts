/** Passwords that the configuration names and the environment does not give: made once, kept 0600. */
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { Configuration } from '@tandem/config/defaults.ts'
import { findFile, keyNames, secretNames } from '@tandem/config/secrets.ts'
import { selfSigned } from './certificate.ts'
import type { DataFolder } from './data-folder.ts'

export interface Secrets {
  /** environment variables for edge-proxy: the secrets that the configuration takes from the environment */
  environment: Record<string, string>
  /** administrator's token of the API */
  token: string
  tokensFile: string
  /** files made by this start */
  made: string[]
}

export async function prepareSecrets(
  configuration: Configuration,
  folder: DataFolder,
  configFolder: string,
  environment: NodeJS.ProcessEnv,
): Promise<Secrets> {
  const made: string[] = []
  const keep = (name: string) => {
    const path = join(folder.secrets, name)
    if (existsSync(path)) {
      chmodSync(path, 0o600)
      return readFileSync(path, 'utf8').trim()
    }
    const secret = randomBytes(18).toString('base64url')
    writeFileSync(path, `${secret}\n`, { mode: 0o600 })
    made.push(path)
    return secret
  }
  const keys = new Set(keyNames(configuration))
  // a password is whatever is agreed upon; a key belongs to a certificate, and cannot be made here
  const given = (name: string) => existsSync(join(folder.secrets, name)) || !keys.has(name)
  const named = secretNames(configuration)
    .filter((name) => environment[name] || given(name))
    .map((name) => [name, environment[name] || keep(name)] as const)
  const token = environment.TANDEM_TOKEN || keep('api-token')
  made.push(...(await makeCertificates(configuration, folder, configFolder)))
  return { environment: Object.fromEntries(named), token, tokensFile: listTokens(folder, token), made }
}

/** The console is told the tokens by their hashes. A person may add more of them to the file: those stay. */
function listTokens(folder: DataFolder, token: string): string {
  const path = join(folder.secrets, 'api-tokens.json')
  const entry = { name: 'admin', role: 'admin', sha256: createHash('sha256').update(token).digest('hex') }
  const there = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as (typeof entry)[]) : []
  const others = there.filter((t) => t.name !== entry.name)
  writeFileSync(path, `${JSON.stringify([entry, ...others], null, 2)}\n`, { mode: 0o600 })
  return path
}

/** A self-signed certificate where the configuration names one that is nowhere. */
async function makeCertificates(
  configuration: Configuration,
  folder: DataFolder,
  configFolder: string,
): Promise<string[]> {
  const where = { TANDEM_CONFIG_DIR: configFolder, TANDEM_DATA: folder.path }
  const made: string[] = []
  for (const { certificate, privateKey, address } of Object.values(configuration.edge.listen)) {
    if (!certificate || !privateKey || isAbsolute(certificate) || isAbsolute(privateKey)) continue
    if (findFile(certificate, where) || findFile(privateKey, where)) continue
    const pair = await selfSigned({ names: [configuration.domain, 'localhost'], addresses: [address, '127.0.0.1'] })
    for (const [name, pem, mode] of [
      [certificate, pair.certificate, 0o644],
      [privateKey, pair.privateKey, 0o600],
    ] as const) {
      const path = join(folder.secrets, name)
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(path, pem, { mode })
      made.push(path)
    }
  }
  return made
}
