/* Two serial ports with rings: reception by interrupt, transmission by interrupt and by whoever calls uart_pump.
 *
 * Nothing that is received is lost while something is sent. An emulator that knows no transmit interrupt is served by
 * the pump alone.
 */

#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uart; /* one serial port in use */

/* The line to the gateway, and the one that samples come over. */
struct uart *uart_gateway(void);
struct uart *uart_samples(void);

/* Both ports on, at TOCSIN_BAUD, 8 bits, no parity, one stop bit. */
void uart_start(void);

/* The next byte received; false when there is none. */
bool uart_take(struct uart *uart, uint8_t *byte);

/* Whether a byte waits on either line. */
bool uart_has_input(void);

/* Queue bytes; waits while the ring is full. A tocsin_byte_sink's function, `context` is the uart. */
void uart_put(void *context, const uint8_t *bytes, size_t length);

/* Send what the port takes now. */
void uart_pump(struct uart *uart);

/* Bytes that wait to be sent. */
size_t uart_waiting(const struct uart *uart);

/* Bytes that came while the ring was full or the last one was not read yet. */
uint32_t uart_overruns(const struct uart *uart);

/* Forget what waits, then send without interrupts, each byte with a bounded wait: for a fault's last words. */
void uart_put_directly(void *context, const uint8_t *bytes, size_t length);

#endif
