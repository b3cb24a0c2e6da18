/**
 * An enterprise, a carrier and a home on one machine: network namespaces with addresses of their own and no link to the
 * machine's network.
 *
 *   corp 10.20.0.10 ── corpfw ── wan (bridge 198.51.100.0/24) ── itsp 198.51.100.20
 *   dmz 198.18.10.2 ───┘          └── homefw ── home 192.168.77.10
 *
 * corpfw and homefw masquerade; nothing that nobody asked for passes homefw, and only SIP and RTP pass into the dmz.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

export const CORP = '10.20.0.10'
export const CORP_NAT = '198.18.10.1'
export const DMZ = '198.18.10.2'
export const ITSP = '198.51.100.20'
export const HOME = '192.168.77.10'
export const HOME_NAT = '198.51.100.3'

const hosts = ['corp', 'corpfw', 'dmz', 'wan', 'itsp', 'homefw', 'home'] as const
export type Host = (typeof hosts)[number]

export interface Lab {
  /** Starts a program on a host; the owner ends it. */
  start(host: Host, command: string, args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess
  run(host: Host, command: string, ...args: string[]): Promise<string>
  close(): Promise<void>
}

/** Why there can be no lab here, or undefined. */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const program of ['ip', 'nft', 'tcpdump'])
    if (spawnSync(program, ['--version']).error) return `${program} is not installed`
  const probe = `tandem-probe-${process.pid}`
  const made = spawnSync('ip', ['netns', 'add', probe])
  spawnSync('ip', ['netns', 'del', probe])
  return made.status === 0 ? undefined : `ip netns add: ${made.stderr.toString().trim()}`
}

export async function makeLab(): Promise<Lab> {
  const prefix = `tandem-${process.pid}`
  const space = (host: Host) => `${prefix}-${host}`
  const exec = promisify(execFile)
  const run: Lab['run'] = async (host, command, ...args) =>
    (await exec('ip', ['netns', 'exec', space(host), command, ...args])).stdout
  const nft = async (host: Host, rules: string) => {
    const child = spawn('ip', ['netns', 'exec', space(host), 'nft', '-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] })
    child.stdin.end(rules)
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`nft on ${host}: ${child.stderr.read()}`)
  }
  const cable = async (one: Host, oneEnd: string, other: Host, otherEnd: string) => {
    const peer = ['peer', 'name', otherEnd, 'netns', space(other)]
    await exec('ip', ['link', 'add', oneEnd, 'netns', space(one), 'type', 'veth', ...peer])
    await run(one, 'ip', 'link', 'set', oneEnd, 'up')
    await run(other, 'ip', 'link', 'set', otherEnd, 'up')
  }
  const address = (host: Host, net: string, link: string) => run(host, 'ip', 'addr', 'add', net, 'dev', link)
  const route = (host: Host, net: string, via: string) => run(host, 'ip', 'route', 'add', net, 'via', via)

  const lab: Lab = {
    start: (host, command, args, env = process.env) =>
      spawn('ip', ['netns', 'exec', space(host), command, ...args], { env, stdio: ['pipe', 'pipe', 'inherit'] }),
    run,
    async close() {
      for (const host of hosts) await exec('ip', ['netns', 'del', space(host)]).catch(() => {})
    },
  }
  try {
    for (const host of hosts) {
      await exec('ip', ['netns', 'add', space(host)])
      await run(host, 'ip', 'link', 'set', 'lo', 'up')
    }
    await run('wan', 'ip', 'link', 'add', 'br0', 'type', 'bridge')
    await run('wan', 'ip', 'link', 'set', 'br0', 'up')
    await cable('corp', 'eth0', 'corpfw', 'lan')
    await cable('dmz', 'eth0', 'corpfw', 'dmz')
    await cable('home', 'eth0', 'homefw', 'lan')
    for (const [host, link] of [
      ['corpfw', 'wan'],
      ['homefw', 'wan'],
      ['itsp', 'eth0'],
    ] as const) {
      await cable(host, link, 'wan', `to-${host}`)
      await run('wan', 'ip', 'link', 'set', `to-${host}`, 'master', 'br0')
    }
    await address('corp', `${CORP}/24`, 'eth0')
    await address('corpfw', '10.20.0.1/24', 'lan')
    await address('corpfw', `${CORP_NAT}/28`, 'dmz')
    await address('corpfw', '198.51.100.2/24', 'wan')
    await address('dmz', `${DMZ}/28`, 'eth0')
    await address('itsp', `${ITSP}/24`, 'eth0')
    await address('homefw', `${HOME_NAT}/24`, 'wan')
    await address('homefw', '192.168.77.1/24', 'lan')
    await address('home', `${HOME}/24`, 'eth0')
    await route('corp', 'default', '10.20.0.1')
    await route('dmz', 'default', CORP_NAT)
    await route('home', 'default', '192.168.77.1')
    for (const host of ['itsp', 'homefw'] as const) await route(host, '198.18.10.0/28', '198.51.100.2')
    for (const host of ['corpfw', 'homefw'] as const) await run(host, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await nft('corpfw', corpFirewall)
    await nft('homefw', homeFirewall)
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}

const corpFirewall = `table inet firewall {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan" accept
    iifname "dmz" oifname "wan" accept
    iifname "wan" oifname "dmz" tcp dport { 5060, 5061, 5070 } accept
    iifname "wan" oifname "dmz" udp dport { 5060, 5070, 20000-20999 } accept
  }
  chain post {
    type nat hook postrouting priority 100;
    iifname "lan" masquerade
  }
}
`
const homeFirewall = `table inet firewall {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan" accept
  }
  chain post {
    type nat hook postrouting priority 100;
    iifname "lan" oifname "wan" masquerade fully-random
  }
}
`

export interface Capture {
  /** Everything that crossed the link so far, packets as they were. */
  stop(): Promise<Buffer>
}

/** Records what crosses a host's link, in both directions. */
export async function capture(lab: Lab, host: Host, link: string): Promise<Capture> {
  const child = lab.start(host, 'tcpdump', ['-i', link, '-U', '-n', '-s', '0', '--immediate-mode', '-w', '-'])
  const packets: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => packets.push(chunk))
  // the header of the file says that it listens
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return {
    async stop() {
      // what is on its way into the buffer still counts
      await new Promise((done) => setTimeout(done, 500))
      const gone = once(child, 'close')
      child.kill('SIGINT')
      await gone
      return Buffer.concat(packets)
    },
  }
}
