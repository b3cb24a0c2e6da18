/** Certificates for tests, made with openssl. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CertificateAuthority {
  /** File of its own certificate. */
  readonly file: string
  /** Writes `<name>.pem` and `<name>.key`; `names` as in `DNS:a.example, URI:sip:a.example`. */
  issue(name: string, names: string, days?: number): { readonly certificate: string; readonly privateKey: string }
}

export function makeAuthority(folder: string, name: string): CertificateAuthority {
  mkdirSync(folder, { recursive: true })
  const at = (file: string) => join(folder, file)
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const ca = { key: at(`${name}.key`), pem: at(`${name}.pem`) }
  run('req', '-x509', ...ec, '-days', '30', '-subj', `/CN=${name}`, '-keyout', ca.key, '-out', ca.pem)
  return {
    file: ca.pem,
    issue(leaf, names, days = 10) {
      const [key, request, pem, extensions] = [`${leaf}.key`, `${leaf}.csr`, `${leaf}.pem`, `${leaf}.ext`].map(at)
      writeFileSync(extensions as string, `subjectAltName=${names}\n`)
      run('req', '-new', ...ec, '-subj', `/CN=${leaf}`, '-keyout', key as string, '-out', request as string)
      const sign = ['-CA', ca.pem, '-CAkey', ca.key, '-CAcreateserial', '-days', String(days), '-extfile']
      run('x509', '-req', '-in', request as string, ...sign, extensions as string, '-out', pem as string)
      return { certificate: pem as string, privateKey: key as string }
    },
  }
}
