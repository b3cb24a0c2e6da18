declare module 'sdp-transform' {
  type Media = { type: string; port: number; protocol: string; payloads: string; direction: string }
  const transform: { parse(text: string): { media: Media[] } }
  export default transform
}
