/* The registers of the STM32F405 (RM0090) and of its Cortex-M4 core (PM0214) that this port uses. */

#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Core: SysTick, interrupts, faults. */
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_CSR_RUN 7u /* processor clock, interrupt, enable */
#define NVIC_ISER(number) REGISTER(0xE000E100u + 4u * ((number) / 32u))
#define NVIC_ICER(number) REGISTER(0xE000E180u + 4u * ((number) / 32u))
#define NVIC_ICPR(number) REGISTER(0xE000E280u + 4u * ((number) / 32u))
#define SCB_CPUID REGISTER(0xE000ED00u)
#define SCB_VTOR REGISTER(0xE000ED08u)
#define SCB_AIRCR REGISTER(0xE000ED0Cu)
#define SCB_AIRCR_RESET 0x05FA0004u
#define SCB_CFSR REGISTER(0xE000ED28u)

/* Reset and clock control. */
#define RCC_CR REGISTER(0x40023800u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSIRDY (1u << 1)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_PLLCFGR_HSE (1u << 22)
#define RCC_CFGR REGISTER(0x40023808u)
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_APB1_QUARTER (5u << 10)
#define RCC_CFGR_APB2_HALF (4u << 13)
#define RCC_AHB1ENR 0x40023830u
#define RCC_APB1ENR 0x40023840u
#define RCC_APB2ENR 0x40023844u
#define RCC_CSR REGISTER(0x40023874u)
#define RCC_CSR_CLEAR (1u << 24)

/* Flash. */
#define FLASH_ACR REGISTER(0x40023C00u)
#define FLASH_ACR_168_MHZ 0x705u /* 5 wait states, prefetch, both caches */
#define FLASH_ACR_DATA_CACHE (1u << 10)
#define FLASH_ACR_DATA_CACHE_RESET (1u << 12)
#define FLASH_KEYR REGISTER(0x40023C04u)
#define FLASH_SR REGISTER(0x40023C0Cu)
#define FLASH_SR_ERRORS 0xF2u
#define FLASH_SR_BUSY (1u << 16)
#define FLASH_CR REGISTER(0x40023C10u)
#define FLASH_CR_PROGRAM (1u << 0)
#define FLASH_CR_ERASE (1u << 1)
#define FLASH_CR_SECTOR(number) ((uint32_t)(number) << 3)
#define FLASH_CR_WORDS (2u << 8)
#define FLASH_CR_START (1u << 16)
#define FLASH_CR_LOCK (1u << 31)

/* Independent watchdog. */
#define IWDG_KR REGISTER(0x40003000u)
#define IWDG_PR REGISTER(0x40003004u)
#define IWDG_RLR REGISTER(0x40003008u)

/* Ports, by their letter's number. */
#define GPIO_BASE(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) REGISTER(GPIO_BASE(port))
#define GPIO_PUPDR(port) REGISTER(GPIO_BASE(port) + 0x0Cu)
#define GPIO_AFR(port, pin) REGISTER(GPIO_BASE(port) + 0x20u + 4u * ((pin) / 8u))

/* Serial ports, by their base. */
#define USART_SR(base) REGISTER((base) + 0x00u)
#define USART_SR_OVERRUN (1u << 3)
#define USART_SR_RECEIVED (1u << 5)
#define USART_SR_COMPLETE (1u << 6)
#define USART_SR_EMPTY (1u << 7)
#define USART_DR(base) REGISTER((base) + 0x04u)
#define USART_BRR(base) REGISTER((base) + 0x08u)
#define USART_CR1(base) REGISTER((base) + 0x0Cu)
#define USART_CR1_RECEIVE (1u << 2)
#define USART_CR1_TRANSMIT (1u << 3)
#define USART_CR1_RECEIVED_INTERRUPT (1u << 5)
#define USART_CR1_EMPTY_INTERRUPT (1u << 7)
#define USART_CR1_ENABLE (1u << 13)

#endif
