// A Vulkan driver that is lavapipe with two answers changed, because Chromium would refuse it otherwise:
// - it calls itself a discrete GPU (Chromium takes no CPU adapter but SwiftShader);
// - it lists semaphores exported as file descriptors (Chromium enables that feature of Dawn everywhere; compute never makes one).
// Everything else goes to lavapipe, which the loader finds by name in LD_LIBRARY_PATH. Declares what it uses itself: no headers needed.
// Offsets are those of the structures in the Vulkan specification on 64-bit machines.

typedef unsigned int u32;
typedef void (*Function)(void);
typedef Function (*Lookup)(void *owner, const char *name);

extern void *dlopen(const char *path, int mode);
extern void *dlsym(void *library, const char *name);
extern char *dlerror(void);
extern int strcmp(const char *a, const char *b);
extern void *memset(void *at, int value, unsigned long length);
extern char *strcpy(char *to, const char *from);
extern int dprintf(int file, const char *format, ...);
extern void abort(void);

enum { RTLD_NOW_ = 2, DISCRETE_GPU = 2, OPAQUE_FD = 1, EXPORTABLE_IMPORTABLE = 3, INCOMPLETE = 5, FEATURE_NOT_PRESENT = -8 };
static const char SEMAPHORE_FD[] = "VK_KHR_external_semaphore_fd";

static Lookup instance_lookup, physical_device_lookup, device_lookup;
static int (*negotiate)(u32 *version);

static void load(void) {
  if (instance_lookup) return;
  void *driver = dlopen("libvulkan_lvp.so", RTLD_NOW_);
  if (!driver) {
    dprintf(2, "lavapipe: %s\n", dlerror());
    abort();
  }
  instance_lookup = (Lookup)dlsym(driver, "vk_icdGetInstanceProcAddr");
  physical_device_lookup = (Lookup)dlsym(driver, "vk_icdGetPhysicalDeviceProcAddr");
  negotiate = (int (*)(u32 *))dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
}

// VkPhysicalDeviceProperties: apiVersion, driverVersion, vendorID, deviceID, deviceType.
static void make_discrete(void *properties) { ((u32 *)properties)[4] = DISCRETE_GPU; }

// What follows sType and pNext.
static void *body(void *structure) { return (char *)structure + 16; }

static void (*get_properties)(void *, void *);
static void properties(void *device, void *out) {
  get_properties(device, out);
  make_discrete(out);
}

static void (*get_properties2)(void *, void *);
static void properties2(void *device, void *out) {
  get_properties2(device, out);
  make_discrete(body(out));
}

static void (*get_semaphore_properties)(void *, void *, void *);
static void semaphore_properties(void *device, void *info, void *out) {
  get_semaphore_properties(device, info, out);
  if (*(u32 *)body(info) != OPAQUE_FD) return;
  u32 *answer = body(out);
  answer[0] |= OPAQUE_FD;
  answer[1] |= OPAQUE_FD;
  answer[2] |= EXPORTABLE_IMPORTABLE;
}

typedef struct {
  char name[256];
  u32 version;
} Extension;

static int (*enumerate_extensions)(void *, const char *, u32 *, Extension *);
static int extensions(void *device, const char *layer, u32 *count, Extension *out) {
  if (layer) return enumerate_extensions(device, layer, count, out);
  u32 room = *count;
  int result = enumerate_extensions(device, layer, count, out);
  if (out && *count >= room) return INCOMPLETE;
  if (out) {
    memset(&out[*count], 0, sizeof(Extension));
    strcpy(out[*count].name, SEMAPHORE_FD);
    out[*count].version = 1;
  }
  ++*count;
  return result;
}

typedef struct {
  u32 type;
  const void *next;
  u32 flags, queue_count;
  const void *queues;
  u32 layer_count;
  const void *layers;
  u32 extension_count;
  const char *const *extensions;
  const void *features;
} DeviceCreateInfo;

static int (*create_device)(void *, const DeviceCreateInfo *, const void *, void **);
static int device(void *physical, const DeviceCreateInfo *info, const void *allocator, void **out) {
  enum { MOST = 512 };
  const char *kept[MOST];
  DeviceCreateInfo copy = *info;
  copy.extension_count = 0;
  copy.extensions = kept;
  for (u32 i = 0; i < info->extension_count && copy.extension_count < MOST; i++)
    if (strcmp(info->extensions[i], SEMAPHORE_FD) != 0) kept[copy.extension_count++] = info->extensions[i];
  return create_device(physical, &copy, allocator, out);
}

static int no_semaphore(void) { return FEATURE_NOT_PRESENT; }
static int is_semaphore(const char *name) {
  return strcmp(name, "vkGetSemaphoreFdKHR") == 0 || strcmp(name, "vkImportSemaphoreFdKHR") == 0;
}

static Function of_device(void *owner, const char *name) {
  return is_semaphore(name) ? (Function)no_semaphore : device_lookup(owner, name);
}

// The function that stands for `name`, given lavapipe's own.
static Function stand_in(const char *name, Function own) {
  if (is_semaphore(name)) return (Function)no_semaphore;
  if (!own) return own;
#define REPLACE(vulkan, kept, ours) \
  if (strcmp(name, vulkan) == 0) { \
    kept = (void *)own; \
    return (Function)ours; \
  }
  REPLACE("vkGetPhysicalDeviceProperties", get_properties, properties)
  REPLACE("vkGetPhysicalDeviceProperties2", get_properties2, properties2)
  REPLACE("vkGetPhysicalDeviceProperties2KHR", get_properties2, properties2)
  REPLACE("vkGetPhysicalDeviceExternalSemaphoreProperties", get_semaphore_properties, semaphore_properties)
  REPLACE("vkGetPhysicalDeviceExternalSemaphorePropertiesKHR", get_semaphore_properties, semaphore_properties)
  REPLACE("vkEnumerateDeviceExtensionProperties", enumerate_extensions, extensions)
  REPLACE("vkCreateDevice", create_device, device)
  REPLACE("vkGetDeviceProcAddr", device_lookup, of_device)
  return own;
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  load();
  if (strcmp(name, "vk_icdGetInstanceProcAddr") == 0) return (Function)vk_icdGetInstanceProcAddr;
  return stand_in(name, instance_lookup(instance, name));
}

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  load();
  return physical_device_lookup ? stand_in(name, physical_device_lookup(instance, name)) : 0;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(u32 *version) {
  load();
  return negotiate ? negotiate(version) : 0;
}
