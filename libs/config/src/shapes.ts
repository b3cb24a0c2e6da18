/** The written shapes of single values: one pattern, one name, one example each, used by the schema and its messages. */

/** Bounds of everything: a configuration is untrusted input too. */
export const LIMITS = {
  /** characters of an ordinary text */
  text: 512,
  /** characters of a regular expression or its replacement; Teams takes 1024 and 256 */
  pattern: 1024,
  /** entries of an ordinary list */
  list: 10_000,
  /** entries of a section of named things */
  names: 10_000,
  /** users, locations, wiremap entries */
  users: 1_000_000,
  /** bytes of one file */
  fileBytes: 256 * 1024 * 1024,
  /** files of one folder */
  files: 1_000,
  /** problems reported at once */
  problems: 100,
} as const

export interface Shape {
  pattern: string
  title: string
  example: string
}

export const SHAPES = {
  name: {
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
    title: 'name (letters, digits, dot, dash, underscore)',
    example: 'hq',
  },
  e164: { pattern: '^\\+[1-9]\\d{2,14}$', title: 'E.164 number', example: '+14255551001' },
  e164Start: { pattern: '^\\+[1-9]\\d{0,14}$', title: 'E.164 number or the beginning of one', example: '+1425555' },
  e164Range: {
    pattern: '^\\+[1-9]\\d{2,14}-\\+[1-9]\\d{2,14}$',
    title: 'first and last E.164 number',
    example: '+14255551000-+14255551999',
  },
  digits: { pattern: '^\\d{1,15}$', title: 'digits', example: '1001' },
  shortCode: { pattern: '^[0-9*#]{2,8}$', title: 'short number as dialled', example: '911' },
  externalPrefix: { pattern: '^[#*0-9]{1,4}$', title: 'outside-line prefix, at most 4 of #*0-9', example: '9' },
  duration: { pattern: '^\\d{1,9}(ms|s|m|h|d)$', title: 'duration', example: '30s' },
  bandwidth: { pattern: '^\\d{1,9}(\\.\\d{1,3})?(bit|kbit|Mbit|Gbit)/s$', title: 'bandwidth', example: '10Mbit/s' },
  network: { pattern: '^[0-9A-Fa-f:.]{2,45}(/\\d{1,3})?$', title: 'network', example: '10.1.0.0/16' },
  address: { pattern: '^[0-9A-Fa-f:.]{2,45}$', title: 'IP address', example: '192.0.2.10' },
  peer: {
    pattern:
      '^(\\[[0-9A-Fa-f:.]{2,45}\\](:\\d{1,5})?|[0-9A-Fa-f:]{2,45}(/\\d{1,3})?|\\d{1,3}(\\.\\d{1,3}){3}(/\\d{1,2}|:\\d{1,5})?)$',
    title: 'address or network, port optional',
    example: '192.0.2.10:5060',
  },
  listenUrl: {
    pattern: '^(udp|tcp|tls|wss?)://(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+):\\d{1,5}$',
    title: 'listener URL',
    example: 'udp://127.0.0.1:5060',
  },
  controlUrl: {
    pattern: '^udp://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):\\d{1,5}$',
    title: 'control URL',
    example: 'udp://127.0.0.1:22222',
  },
  collectorUrl: {
    pattern: '^udp://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):\\d{1,5}$',
    title: 'URL of a HEP collector',
    example: 'udp://192.0.2.9:9060',
  },
  sipUri: {
    pattern: '^sips?:([^@\\s<>]{1,128}@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+)(:\\d{1,5})?(;[^\\s<>]*)?$',
    title: 'SIP URI',
    example: 'sip:192.0.2.10:5060',
  },
  dnsServer: {
    pattern: '^(\\[[0-9A-Fa-f:.]{2,45}\\]|\\d{1,3}(\\.\\d{1,3}){3})(:\\d{1,5})?$',
    title: 'address of a name server, port optional',
    example: '192.0.2.53',
  },
  desk: {
    // no user and password before the host: the configuration holds no secret
    pattern: '^(sips?:[^\\s<>]+|https?://[^\\s<>@/?#]+([/?#][^\\s<>]*)?)$',
    title: 'SIP URI or webhook',
    example: 'sip:desk@acme.example',
  },
  portRange: { pattern: '^\\d{1,5}-\\d{1,5}$', title: 'port range', example: '20000-20999' },
  factSource: {
    pattern: '^(https?://[^\\s<>@/?#]{1,255}([/?#][^\\s<>]{0,400})?|file:///[^\\s<>]{1,400}|/[^\\s<>]{1,400})$',
    title: 'http, https or file URL, or an absolute path',
    example: 'https://lnp.example/ported.csv',
  },
  domain: {
    pattern: '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$',
    title: 'domain',
    example: 'acme.example',
  },
  certificateName: {
    pattern: '^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$',
    title: 'SIP domain or IP address, without wildcards',
    example: 'sbc.carrier.example',
  },
  country: { pattern: '^[A-Z]{2}$', title: 'two-letter country code', example: 'US' },
  currency: { pattern: '^[A-Z]{3}$', title: 'three-letter currency code', example: 'USD' },
  money: { pattern: '^\\d{1,12}(\\.\\d{1,12})?$', title: 'amount of money in quotes', example: '12.50' },
  percent: { pattern: '^-?\\d{1,4}(\\.\\d{1,4})?%$', title: 'percentage', example: '10%' },
  increments: { pattern: '^[1-9]\\d{0,3}/[1-9]\\d{0,3}$', title: 'increments in seconds, first/next', example: '6/6' },
  mac: { pattern: '^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$', title: 'MAC address', example: '00-11-22-33-44-55' },
  lengthRule: {
    pattern: '^(any|(exactly|at least) \\d{1,2})$',
    title: 'length: any, exactly N or at least N',
    example: 'exactly 7',
  },
  dialStart: { pattern: '^\\+?[0-9*#]{0,32}$', title: 'digits, * and #, with a + in front if need be', example: '+1' },
  timeOfDay: { pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', title: 'time of day', example: '08:30' },
} as const satisfies Record<string, Shape>
