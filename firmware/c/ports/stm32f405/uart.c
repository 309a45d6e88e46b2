#include "uart.h"

#include "clock.h"
#include "registers.h"
#include "tocsin_board_device.h"

/* Powers of two. Eight frames of samples may be unanswered: 8 KiB can never overflow. */
#define GATEWAY_RECEIVE_BYTES 2048u
#define SAMPLES_RECEIVE_BYTES 8192u
#define TRANSMIT_BYTES 2048u
#define DIRECT_WAIT_LOOPS 2000000u
#define PULL_UP 1u
#define ALTERNATE 2u

/* A port of the chip and the pins that it is on. */
struct wiring {
    uint32_t base;
    uint32_t interrupt;
    uint32_t enable;     /* RCC register and bit that clock it */
    uint32_t enable_bit;
    bool is_on_apb2;
    uint32_t port;       /* of the pins: 0 is A */
    uint32_t transmit_pin;
    uint32_t receive_pin;
    uint32_t function;
};

struct uart {
    struct wiring wiring;
    uint8_t *received;
    uint32_t receive_bytes;
    volatile uint32_t receive_in;  /* counts, modulo 2**32; the interrupt writes the first, the program the second */
    volatile uint32_t receive_out;
    uint8_t *transmitted;
    volatile uint32_t transmit_in;
    volatile uint32_t transmit_out;
    volatile bool asks;            /* for an interrupt when the port can take a byte */
    volatile uint32_t overruns;
};

#define WIRING_1 {0x40011000u, 37, RCC_APB2ENR, 4, true, 1, 6, 7, 7}    /* PB6, PB7 */
#define WIRING_2 {0x40004400u, 38, RCC_APB1ENR, 17, false, 0, 2, 3, 7}  /* PA2, PA3 */
#define WIRING_3 {0x40004800u, 39, RCC_APB1ENR, 18, false, 1, 10, 11, 7} /* PB10, PB11 */
#define WIRING_6 {0x40011400u, 71, RCC_APB2ENR, 5, true, 2, 6, 7, 8}    /* PC6, PC7 */
#define WIRING_NAMED(number) WIRING_##number
#define WIRING_OF(number) WIRING_NAMED(number)

static uint8_t gateway_received[GATEWAY_RECEIVE_BYTES];
static uint8_t gateway_transmitted[TRANSMIT_BYTES];
static uint8_t samples_received[SAMPLES_RECEIVE_BYTES];
static uint8_t samples_transmitted[TRANSMIT_BYTES];
static struct uart gateway = {
    WIRING_OF(TOCSIN_GATEWAY_USART), gateway_received, GATEWAY_RECEIVE_BYTES, 0, 0, gateway_transmitted, 0, 0, false, 0,
};
static struct uart samples = {
    WIRING_OF(TOCSIN_SAMPLES_USART), samples_received, SAMPLES_RECEIVE_BYTES, 0, 0, samples_transmitted, 0, 0, false, 0,
};

void USART1_Handler(void);
void USART2_Handler(void);
void USART3_Handler(void);
void USART6_Handler(void);

struct uart *uart_gateway(void)
{
    return &gateway;
}

struct uart *uart_samples(void)
{
    return &samples;
}

static void mask_interrupts(void)
{
    __asm volatile("cpsid i" ::: "memory");
}

static void allow_interrupts(void)
{
    __asm volatile("cpsie i" ::: "memory");
}

static void set_field(volatile uint32_t *place, uint32_t pin, uint32_t bits, uint32_t value)
{
    uint32_t shift = bits * pin;
    uint32_t mask = (1u << bits) - 1u;
    *place = (*place & ~(mask << shift)) | (value << shift);
}

static void connect_pin(const struct wiring *wiring, uint32_t pin)
{
    set_field(&GPIO_AFR(wiring->port, pin), pin % 8u, 4, wiring->function);
    set_field(&GPIO_PUPDR(wiring->port), pin, 2, PULL_UP);
    set_field(&GPIO_MODER(wiring->port), pin, 2, ALTERNATE);
}

static void start(const struct wiring *wiring)
{
    uint32_t bus_hz = wiring->is_on_apb2 ? clock_now()->apb2_hz : clock_now()->apb1_hz;
    REGISTER(RCC_AHB1ENR) |= 1u << wiring->port;
    REGISTER(wiring->enable) |= 1u << wiring->enable_bit;
    (void)REGISTER(wiring->enable); /* the port takes two cycles to wake */
    connect_pin(wiring, wiring->transmit_pin);
    connect_pin(wiring, wiring->receive_pin);
    USART_BRR(wiring->base) = (bus_hz + TOCSIN_BAUD / 2u) / TOCSIN_BAUD;
    USART_CR1(wiring->base) =
        USART_CR1_ENABLE | USART_CR1_TRANSMIT | USART_CR1_RECEIVE | USART_CR1_RECEIVED_INTERRUPT;
    NVIC_ISER(wiring->interrupt) = 1u << (wiring->interrupt % 32u);
}

void uart_start(void)
{
    start(&gateway.wiring);
    start(&samples.wiring);
}

static void receive(struct uart *uart)
{
    uint32_t status = USART_SR(uart->wiring.base);
    if ((status & (USART_SR_RECEIVED | USART_SR_OVERRUN)) == 0) {
        return;
    }
    uint8_t byte = (uint8_t)USART_DR(uart->wiring.base);
    bool has_room = uart->receive_in - uart->receive_out < uart->receive_bytes;
    if ((status & USART_SR_OVERRUN) != 0 || !has_room) {
        uart->overruns++;
    }
    if ((status & USART_SR_RECEIVED) != 0 && has_room) {
        uart->received[uart->receive_in & (uart->receive_bytes - 1u)] = byte;
        uart->receive_in++;
    }
}

/* With interrupts masked: hand over what the port takes, and ask for an interrupt if some is left. The registers are
 * only touched when there is something to do: in an emulator each access is slow. */
static void transmit(struct uart *uart)
{
    uint32_t base = uart->wiring.base;
    while (uart->transmit_in != uart->transmit_out && (USART_SR(base) & USART_SR_EMPTY) != 0) {
        USART_DR(base) = uart->transmitted[uart->transmit_out & (TRANSMIT_BYTES - 1u)];
        uart->transmit_out++;
    }
    bool asks = uart->transmit_in != uart->transmit_out;
    if (asks != uart->asks) {
        uart->asks = asks;
        USART_CR1(base) ^= USART_CR1_EMPTY_INTERRUPT;
    }
}

static void serve(uint32_t base)
{
    struct uart *uart = base == gateway.wiring.base ? &gateway : &samples;
    receive(uart);
    if (uart->asks) {
        transmit(uart);
    }
}

void USART1_Handler(void)
{
    serve(0x40011000u);
}

void USART2_Handler(void)
{
    serve(0x40004400u);
}

void USART3_Handler(void)
{
    serve(0x40004800u);
}

void USART6_Handler(void)
{
    serve(0x40011400u);
}

bool uart_take(struct uart *uart, uint8_t *byte)
{
    if (uart->receive_in == uart->receive_out) {
        return false;
    }
    *byte = uart->received[uart->receive_out & (uart->receive_bytes - 1u)];
    uart->receive_out++;
    return true;
}

bool uart_has_input(void)
{
    return gateway.receive_in != gateway.receive_out || samples.receive_in != samples.receive_out;
}

void uart_pump(struct uart *uart)
{
    mask_interrupts();
    transmit(uart);
    allow_interrupts();
}

void uart_put(void *context, const uint8_t *bytes, size_t length)
{
    struct uart *uart = context;
    for (size_t i = 0; i < length; i++) {
        while (uart->transmit_in - uart->transmit_out == TRANSMIT_BYTES) {
            uart_pump(uart);
        }
        uart->transmitted[uart->transmit_in & (TRANSMIT_BYTES - 1u)] = bytes[i];
        uart->transmit_in++;
    }
    uart_pump(uart);
}

size_t uart_waiting(const struct uart *uart)
{
    return uart->transmit_in - uart->transmit_out;
}

uint32_t uart_overruns(const struct uart *uart)
{
    return uart->overruns;
}

void uart_put_directly(void *context, const uint8_t *bytes, size_t length)
{
    struct uart *uart = context;
    uint32_t base = uart->wiring.base;
    uart->transmit_out = uart->transmit_in;
    for (size_t i = 0; i < length; i++) {
        for (uint32_t loop = 0; loop < DIRECT_WAIT_LOOPS && (USART_SR(base) & USART_SR_EMPTY) == 0; loop++) {
        }
        USART_DR(base) = bytes[i];
    }
    for (uint32_t loop = 0; loop < DIRECT_WAIT_LOOPS && (USART_SR(base) & USART_SR_COMPLETE) == 0; loop++) {
    }
}
