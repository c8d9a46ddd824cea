# Makes a Windows host a container instance that berth runs: settings as machine variables, the service, the host's part
# of task roles. Run as an administrator; a second run changes nothing that is as it should be.
#
#     Import-Module .\Berth.psm1
#     Initialize-ECSAgent -Cluster web -EnableTaskIAMRole -LoggingDrivers '["json-file","awslogs"]'

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Program = Join-Path $env:ProgramFiles 'Amazon\ECS\berth.exe'

function Set-MachineVariable {
    # A variable of the machine, which the service reads when it starts.
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Name,
        [Parameter(Mandatory)][string]$Value
    )
    $now = [Environment]::GetEnvironmentVariable($Name, 'Machine')
    if ($now -ne $Value -and $PSCmdlet.ShouldProcess($Name, "set to $Value")) {
        [Environment]::SetEnvironmentVariable($Name, $Value, 'Machine')
    }
}

function Invoke-Berth {
    # Runs berth and stops where it does not do well.
    param(
        [Parameter(Mandatory)][string[]]$Arguments
    )
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) {
        throw "berth $($Arguments -join ' '): exit code $LASTEXITCODE"
    }
}

function Initialize-ECSAgent {
    # Sets the agent up and starts its service.
    [CmdletBinding()]
    param(
        # Cluster to register with; none: tasks come from the directory of task files and the admin API.
        [string]$Cluster,
        # Let tasks have roles: the host gets 169.254.170.2, and TCP port 80 is the agent's.
        [switch]$EnableTaskIAMRole,
        # Log drivers that tasks may use, as a JSON list.
        [string]$LoggingDrivers,
        # Give tasks network interfaces of their own. Not supported by this version: the agent says so at its start.
        [switch]$EnableTaskENI,
        # Keep such tasks from the instance metadata service.
        [switch]$AwsvpcBlockIMDS,
        # Routes that such tasks keep to the host's network, as a JSON list.
        [string]$AwsvpcAdditionalLocalRoutes,
        # Directory of task definition files to run.
        [string]$TasksDirectory,
        # When the service starts.
        [ValidateSet('delayed', 'manual', 'disabled')][string]$StartupType = 'delayed'
    )
    if (-not (Test-Path -LiteralPath $Program)) {
        throw "berth is not installed: copy berth.exe to $Program"
    }
    if ($Cluster) { Set-MachineVariable -Name 'ECS_CLUSTER' -Value $Cluster }
    if ($LoggingDrivers) { Set-MachineVariable -Name 'ECS_AVAILABLE_LOGGING_DRIVERS' -Value $LoggingDrivers }
    if ($TasksDirectory) { Set-MachineVariable -Name 'BERTH_TASKS_DIR' -Value $TasksDirectory }
    if ($EnableTaskENI) { Set-MachineVariable -Name 'ECS_ENABLE_TASK_ENI' -Value 'true' }
    if ($AwsvpcBlockIMDS) { Set-MachineVariable -Name 'ECS_AWSVPC_BLOCK_IMDS' -Value 'true' }
    if ($AwsvpcAdditionalLocalRoutes) {
        Set-MachineVariable -Name 'ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES' -Value $AwsvpcAdditionalLocalRoutes
    }
    $address = if ($EnableTaskIAMRole) { 'true' } else { 'false' }
    Set-MachineVariable -Name 'BERTH_TASK_ADDRESS' -Value $address
    Set-MachineVariable -Name 'ECS_ENABLE_TASK_IAM_ROLE' -Value $address
    Invoke-Berth -Arguments @('service', 'install', '--start', $StartupType)
    if ($EnableTaskIAMRole) { Invoke-Berth -Arguments @('host', 'setup') }
    if ($StartupType -ne 'disabled') {
        # A service that runs has the settings of its start.
        Invoke-Berth -Arguments @('service', 'stop')
        Invoke-Berth -Arguments @('service', 'start')
    }
}

function Remove-ECSAgent {
    # Stops and removes the service and what it changed on this host. Tasks go on; data and log stay.
    [CmdletBinding(SupportsShouldProcess)]
    param()
    if ($PSCmdlet.ShouldProcess('AmazonECS', 'remove the service')) {
        Invoke-Berth -Arguments @('service', 'uninstall')
        Invoke-Berth -Arguments @('host', 'clean')
    }
}

Export-ModuleMember -Function Initialize-ECSAgent, Remove-ECSAgent
