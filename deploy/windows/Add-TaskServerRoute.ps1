# For the start of a container that has a task role and is in Docker's network `nat`: leads the address of the task
# server to the host, which is the container's gateway. It comes before the container's own command, both as one
# -Command; what follows a -File would be arguments of the script:
#
#     "entryPoint": ["powershell", "-NoProfile", "-Command"],
#     "command": ["C:\\Add-TaskServerRoute.ps1; C:\\app\\app.exe; exit $LASTEXITCODE"]
#
# Changing routes is a matter for the image's user ContainerAdministrator. Containers of images without PowerShell use
# `route add 169.254.170.2 mask 255.255.255.255 <gateway>` instead.
#
# The instance metadata service has no route here: what reaches it has the rights of the host, not of the task. A task
# that is to ask it all the same starts with `C:\Add-TaskServerRoute.ps1 -InstanceMetadata; C:\app\app.exe`.

param(
    # Lead 169.254.169.254 to the host too.
    [switch]$InstanceMetadata
)

$ErrorActionPreference = 'Stop'

$addresses = @('169.254.170.2/32')
if ($InstanceMetadata) { $addresses += '169.254.169.254/32' }
$default = Get-NetRoute -AddressFamily IPv4 -DestinationPrefix '0.0.0.0/0' |
    Sort-Object -Property RouteMetric |
    Select-Object -First 1
foreach ($address in $addresses) {
    if (-not (Get-NetRoute -DestinationPrefix $address -ErrorAction SilentlyContinue)) {
        $route = @{
            DestinationPrefix = $address
            InterfaceIndex    = $default.ifIndex
            NextHop           = $default.NextHop
            PolicyStore       = 'ActiveStore'
        }
        New-NetRoute @route | Out-Null
    }
}
