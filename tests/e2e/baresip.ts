/**
 * baresip (Debian: baresip-core), a phone that we did not write, without sound device or screen: a tone from a WAV file is its
 * microphone, what it hears goes into a WAV file, and it is worked by JSON in netstrings over TCP (its module ctrl_tcp).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { steadyPort } from '@tandem/testing/ports.ts'
import { encodeMuLaw, nextTone, SAMPLE_RATE, toneShare } from '@tandem/testing/tone.ts'
import { eventually } from './platform.ts'

const MODULES = ['/usr/lib/baresip/modules', '/usr/local/lib/baresip/modules'].find((folder) => existsSync(folder))

/** Why baresip cannot take part here; false when it can. */
export function baresipMissing(module = 'ctrl_tcp'): string | false {
  const found = (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/bin')
    .some((d) => existsSync(join(d, 'baresip')))
  if (!found || MODULES === undefined) return 'baresip is not installed (Debian: baresip-core)'
  return existsSync(join(MODULES, `${module}.so`)) ? false : `baresip has no module ${module}`
}

export interface BaresipParts {
  readonly user: string
  readonly password: string
  readonly domain: string
  /** host:port of the edge. */
  readonly server: string
  readonly transport: 'udp' | 'tls'
  /** What its Contact says, and where its UDP comes from; default 127.0.0.1. Its TLS and RTP come from 127.0.0.1 always. */
  readonly address?: string
  /** What its SDP says, default 127.0.0.1. */
  readonly mediaAddress?: string
  /** PEM file: who may have signed the edge's certificate. */
  readonly caFile?: string
  /** SRTP with keys in SDP: offered as RTP/AVP with a=crypto, or demanded as RTP/SAVP. Default: none. */
  readonly srtp?: 'srtp' | 'srtp-mand'
  /** SIP URIs that it watches for presence. */
  readonly watches?: readonly string[]
  /** s, default 60. */
  readonly registerEvery?: number
}

export interface BaresipEvent {
  /** REGISTER_OK, CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED … */
  readonly type: string
  readonly param?: string
  readonly peeruri?: string
  readonly [more: string]: unknown
}

export interface Baresip {
  /** Hz of its microphone. */
  readonly tone: number
  readonly events: readonly BaresipEvent[]
  /** `dial`, `accept`, `hangup`, `hold`, `resume`, `contacts` …; gives what baresip prints, without colours. */
  command(command: string, params?: string): Promise<string>
  /** The next event of that type after the last one taken. */
  next(type: string, withinMs?: number): Promise<BaresipEvent>
  /** Has it heard that tone in any call since its start? Its files end at the first hold of a call. */
  heard(hz: number): Promise<boolean>
  /** RTP packets of its last call that is over. */
  packets(): { readonly sent: number; readonly received: number } | undefined
  log(): string
  stop(): Promise<void>
}

/** Starts it and waits until it is registered. */
export async function startBaresip(parts: BaresipParts): Promise<Baresip> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-baresip-'))
  const tone = nextTone()
  const control = await steadyPort()
  await writeFile(join(folder, 'tone.wav'), toneFile(tone))
  await writeFile(join(folder, 'config'), configuration(parts, folder, control))
  await writeFile(join(folder, 'accounts'), `${account(parts)}\n`)
  const watched = (parts.watches ?? []).map((uri) => `"${uri}" <${uri}>;presence=p2p\n`)
  await writeFile(join(folder, 'contacts'), watched.join(''))
  const child = spawn('baresip', ['-4', '-s', '-f', folder], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-200_000)
    })
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), 5000)
      await once(child, 'exit')
      clearTimeout(forced)
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const line = await openControl(child, control)
    const phone = phoneOf({ line, tone, folder, log: () => said, end })
    // an event before the line stood is not told: ask
    const registered = async () =>
      phone.events.some((e) => e.type === 'REGISTER_OK') || /\bOK\b/.test(await phone.command('reginfo'))
    await eventually(`${parts.user} by baresip is registered`, registered, 30_000)
    return phone
  } catch (error) {
    await end()
    throw new Error(`${String(error)}\nbaresip said:\n${said.slice(-4000)}`)
  }
}

function configuration(parts: BaresipParts, folder: string, control: number): string {
  const { address = '127.0.0.1', mediaAddress = '127.0.0.1', caFile } = parts
  const modules = ['g711', 'aufile', 'aubridge', 'sndfile', 'rtcpsummary', ...(parts.srtp ? ['srtp'] : [])]
  const applications = ['account', 'contact', 'menu', 'presence', 'ctrl_tcp']
  return [
    'poll_method epoll',
    `sip_listen ${address}:0`,
    `net_interface ${mediaAddress}`,
    ...(caFile === undefined ? [] : [`sip_cafile ${caFile}`]),
    'call_max_calls 8',
    // what is heard goes into a bridge that nobody listens to; what is said comes from a file of 16 bit samples
    'audio_player aubridge,nowhere',
    `audio_source aufile,${join(folder, 'tone.wav')}`,
    'audio_alert aubridge,alert',
    ...['ausrc', 'auplay'].flatMap((end) => [`${end}_srate ${SAMPLE_RATE}`, `${end}_channels 1`, `${end}_format s16`]),
    'auenc_format s16',
    'audec_format s16',
    'rtp_stats yes',
    `snd_path ${folder}`,
    `module_path ${MODULES}`,
    ...modules.map((name) => `module ${name}.so`),
    ...applications.map((name) => `module_app ${name}.so`),
    `ctrl_tcp_listen 127.0.0.1:${control}`,
    'statmode_default off',
    '',
  ].join('\n')
}

function account({ user, password, domain, server, transport, srtp, registerEvery = 60 }: BaresipParts): string {
  return [
    `<sip:${user}@${domain};transport=${transport}>`,
    `auth_user=${user}`,
    `auth_pass=${password}`,
    `outbound="sip:${server};transport=${transport}"`,
    'answermode=manual',
    'audio_codecs=pcmu',
    ...(srtp === undefined ? [] : [`mediaenc=${srtp}`]),
    `regint=${registerEvery}`,
  ].join(';')
}

/** RIFF/WAVE, 16 bit, mono, long enough for a test. */
function toneFile(hz: number): Buffer {
  const samples = SAMPLE_RATE * 120
  const file = Buffer.alloc(44 + samples * 2)
  file.write('RIFF', 0)
  file.writeUInt32LE(file.length - 8, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(SAMPLE_RATE, 24)
  file.writeUInt32LE(SAMPLE_RATE * 2, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36)
  file.writeUInt32LE(samples * 2, 40)
  for (let i = 0; i < samples; i++)
    file.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE)), 44 + i * 2)
  return file
}

async function openControl(child: ChildProcess, port: number): Promise<Socket> {
  return await eventually(
    'the control line of baresip',
    async () => {
      if (child.exitCode !== null) throw new Error(`baresip ended with ${child.exitCode}`)
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    },
    30_000,
  )
}

function phoneOf(given: {
  line: Socket
  tone: number
  folder: string
  log: () => string
  end: () => Promise<void>
}): Baresip {
  const { line, tone, folder } = given
  const events: BaresipEvent[] = []
  const asked = new Map<string, (text: string) => void>()
  let taken = 0
  let count = 0
  readNetstrings(line, (text) => {
    const message = JSON.parse(text) as { token?: string; data?: string; response?: boolean } & BaresipEvent
    if (!message.response) events.push(message)
    else asked.get(message.token ?? '')?.(message.data ?? '')
  })
  line.on('error', () => undefined)
  const command = (name: string, params?: string): Promise<string> => {
    const token = String(++count)
    const text = JSON.stringify({ command: name, params: params ?? '', token })
    return new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error(`baresip does not answer to ${name}`)), 20_000)
      asked.set(token, (answer) => {
        clearTimeout(late)
        asked.delete(token)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal
        done(answer.replace(/\u001b\[[0-9;]*m/g, ''))
      })
      line.write(`${Buffer.byteLength(text)}:${text},`)
    })
  }
  return {
    tone,
    events,
    command,
    async next(type, withinMs = 30_000) {
      const look = async () => {
        const at = events.findIndex((event, i) => i >= taken && event.type === type)
        if (at < 0) return undefined
        taken = at + 1
        return events[at]
      }
      return await eventually(`${type} by baresip`, look, withinMs).catch((error: Error) => {
        const seen = events.map((e) => `${e.type} ${e.param ?? ''}`).join('\n')
        throw new Error(`${error.message}\nseen:\n${seen}\nlog:\n${given.log().slice(-4000)}`)
      })
    },
    async heard(hz) {
      for (const file of await readdir(folder)) {
        if (file.startsWith('dump-') && file.endsWith('-dec.wav') && hears(await readFile(join(folder, file)), hz))
          return true
      }
      return false
    },
    packets() {
      // rtcpsummary: `packets:            254          251`
      const found = [...given.log().matchAll(/^packets:\s+(\d+)\s+(\d+)/gm)].at(-1)
      return found && { sent: Number(found[1]), received: Number(found[2]) }
    },
    log: given.log,
    async stop() {
      line.destroy()
      await given.end()
    },
  }
}

/** Is there a fifth of a second of that tone? */
function hears(wav: Buffer, hz: number): boolean {
  const window = SAMPLE_RATE / 5
  for (let at = 44; at + window * 2 <= wav.length; at += window) {
    const piece = Uint8Array.from({ length: window }, (_, i) => encodeMuLaw(wav.readInt16LE(at + i * 2)))
    if (toneShare(piece, hz) > 0.5) return true
  }
  return false
}

/** `12:hello world!,` (a length in bytes, a colon, the text, a comma) */
function readNetstrings(socket: Socket, found: (text: string) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const colon = rest.indexOf(':')
      const length = Number(rest.toString('latin1', 0, Math.max(colon, 0)))
      if (colon < 0 || rest.length < colon + 1 + length + 1) return
      found(rest.toString('utf8', colon + 1, colon + 1 + length))
      rest = rest.subarray(colon + length + 2)
    }
  })
}
