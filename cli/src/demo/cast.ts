/** Who plays in the demonstration: two carriers, two phones, and the emergency desk's webhook; all with real sockets. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Configuration } from '@tandem/config/defaults.ts'
import { findFile } from '@tandem/config/secrets.ts'
import { type Itsp, startItsp } from '@tandem/testing/itsp.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import { startWebhook, type Webhook } from '@tandem/testing/webhook.ts'
import { Failure } from '../failure.ts'
import { whoHas } from '../up/ports.ts'
import type { Secrets } from '../up/secrets.ts'

export interface Carriers {
  /** trunk itsp-a: known by its address, paid by the minute */
  a: Itsp
  /** trunk itsp-b: registered with digest, paid by bandwidth */
  b: Itsp
  desk: Webhook
  close(): Promise<void>
}

/** Alice's mobile, as the trunk translates it. */
export const MOBILE = '12065550142'
/** Calls of a second have reports, too. */
const LINE = { reportMs: 200 }
/** Another network: a loopback address outside every site. */
export const ELSEWHERE = '127.0.0.2'

/** The carriers stand before the edge does: it registers with one and probes both at its start. */
export async function startCarriers(configuration: Configuration, secrets: Secrets): Promise<Carriers> {
  const edge = configuration.edge.listen.carrier
  const register = configuration.trunks['itsp-b']?.register
  if (!edge || !register || !('env' in register.password)) {
    throw new Failure(
      'the configuration is not that of examples/acme',
      'npm start shows that one: give it back its trunks.',
    )
  }
  const target = `${edge.transport}://${edge.address}:${edge.port}`
  const started: { close(): Promise<void> }[] = []
  const begin = async <T extends { close(): Promise<void> }>(
    what: string,
    address: string,
    start: () => Promise<T>,
  ) => {
    try {
      const made = await start()
      started.push(made)
      return made
    } catch (error) {
      await Promise.all(started.map((s) => s.close()))
      throw portFailure(what, address, error)
    }
  }
  const a = await begin('carrier A', '127.0.0.1:5080', () =>
    startItsp({
      name: 'Carrier A',
      listen: 'udp://127.0.0.1:5080',
      target,
      line: LINE,
      phones: { [MOBILE]: 'ring' },
    }),
  )
  const password = secrets.environment[register.password.env] ?? ''
  const b = await begin('carrier B', '127.0.0.1:5090', () =>
    startItsp({
      name: 'Carrier B',
      listen: 'udp://127.0.0.1:5090',
      target,
      digestAccounts: { [register.user]: password },
      line: LINE,
      phones: { [MOBILE]: 'ring' },
    }),
  )
  const desk = await begin('the emergency desk', '127.0.0.1:8911', () => startWebhook({ port: 8911 }))
  return { a, b, desk, close: async () => void (await Promise.all(started.map((s) => s.close()))) }
}

function portFailure(what: string, address: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EADDRINUSE' && !/EADDRINUSE/.test(String(error))) return error
  const port = Number(address.split(':')[1])
  return new Failure(
    `${address} is in use${whoHas(what.startsWith('carrier') ? 'udp' : 'tcp', port)}, and ${what} of the demonstration stands there`,
    'Stop it and start again; your own configuration runs without the demonstration: npx tandem up --config FILE',
  )
}

export interface Phones {
  /** UDP, inside */
  alice: Phone
  /** TLS, from another network */
  bob: Phone
  close(): Promise<void>
}

export async function startPhones(configuration: Configuration, secrets: Secrets, dataFolder: string): Promise<Phones> {
  const { inside, remote } = configuration.edge.listen
  if (!inside || !remote?.certificate) throw new Failure('the configuration has no listener inside or remote', '')
  const certificate =
    findFile(remote.certificate, { TANDEM_DATA: dataFolder }) ?? join(dataFolder, 'secrets', remote.certificate)
  const password = (user: string) => {
    const reference = configuration.users[user]?.password
    return reference && 'env' in reference ? { password: secrets.environment[reference.env] ?? '' } : {}
  }
  const { domain } = configuration
  const alice = await startPhone({ name: 'alice', domain, server: inside.url, line: LINE, ...password('alice') })
  const bob = await startPhone({
    name: 'bob',
    domain,
    server: remote.url,
    bind: ELSEWHERE,
    line: LINE,
    ca: readFileSync(certificate, 'utf8'),
    ...password('bob'),
  }).catch(async (error: unknown) => {
    await alice.close()
    if (!/EADDRNOTAVAIL/.test(String(error))) throw error
    throw new Failure(
      `this machine has no ${ELSEWHERE}, the other network of the demonstration`,
      `Add it to the loopback interface (macOS: sudo ifconfig lo0 alias ${ELSEWHERE}) and start again`,
    )
  })
  /** Phones that go say so: the edge keeps UDP bindings over a restart and would ring them again. */
  const leave = async (phone: Phone): Promise<void> => {
    await Promise.race([phone.unregister().catch(() => {}), setTimeout(1000, undefined, { ref: false })])
    await phone.close()
  }
  return { alice, bob, close: async () => void (await Promise.all([leave(alice), leave(bob)])) }
}
