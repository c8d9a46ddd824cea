# For the start of a container that has a task role and is in Docker's network `nat`: leads the address of the task
# server to the host, which is the container's gateway. Put it before the container's own command, for instance
#
#     powershell -NoProfile -File C:\Add-TaskServerRoute.ps1; C:\app\app.exe
#
# Containers of images without PowerShell use `route add 169.254.170.2 mask 255.255.255.255 <gateway>` instead.

$ErrorActionPreference = 'Stop'

$default = Get-NetRoute -AddressFamily IPv4 -DestinationPrefix '0.0.0.0/0' |
    Sort-Object -Property RouteMetric |
    Select-Object -First 1
foreach ($address in '169.254.170.2/32') {
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
