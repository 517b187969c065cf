import { WebSocket } from 'ws'

export function connect(url: string, token: string): WebSocket {
  // #region client
  const socket = new WebSocket(url, ['shop.v1', `bearer.${token}`])
  // #endregion
  return socket
}
