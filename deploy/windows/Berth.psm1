# Makes a Windows host a container instance that berth runs: settings as machine variables, the service, the host's part
# of task roles. Run as an administrator; a second run changes nothing that is as it should be.
#
#     Import-Module .\Berth.psm1
#     Initialize-ECSAgent -Cluster web -EnableTaskIAMRole -LoggingDrivers '["json-file","awslogs"]'

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Program = Join-Path $env:ProgramFiles 'Amazon\ECS\berth.exe'

function Set-MachineVariable {
    # A variable of the machine, which the service reads when it starts, and of this window: what is started here reads
    # those that the window began with.
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Name,
        [Parameter(Mandatory)][string]$Value
    )
    $now = [Environment]::GetEnvironmentVariable($Name, 'Machine')
    if ($now -cne $Value -and $PSCmdlet.ShouldProcess($Name, "set to $Value")) {
        [Environment]::SetEnvironmentVariable($Name, $Value, 'Machine')
    }
    if (-not $WhatIfPreference) { [Environment]::SetEnvironmentVariable($Name, $Value, 'Process') }
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
        # Log drivers that ECS may place tasks for, as a JSON list; none given: all that Docker has.
        [string]$LoggingDrivers,
        # For tasks with network interfaces of their own, which this version does not give: answered with a warning.
        [switch]$EnableTaskENI,
        [switch]$AwsvpcBlockIMDS,
        [string]$AwsvpcAdditionalLocalRoutes,
        # Directory of task definition files to run. One that is not there is made, for SYSTEM and administrators only:
        # whoever may write there has the host.
        [string]$TasksDirectory,
        # Of the agent to install, where ECS-optimized images choose one: here it is whatever was copied.
        [string]$Version,
        # When the service starts.
        [ValidateSet('delayed', 'manual', 'disabled')][string]$StartupType = 'delayed'
    )
    if (-not (Test-Path -LiteralPath $Program)) {
        throw "berth is not installed: copy berth.exe to $Program"
    }
    if ($Version) { Write-Warning "Version $Version is not looked for: $Program is installed as it is." }
    if ($Cluster) { Set-MachineVariable -Name 'ECS_CLUSTER' -Value $Cluster }
    if ($LoggingDrivers) { Set-MachineVariable -Name 'ECS_AVAILABLE_LOGGING_DRIVERS' -Value $LoggingDrivers }
    if ($TasksDirectory) { Set-MachineVariable -Name 'BERTH_TASKS_DIR' -Value $TasksDirectory }
    if ($EnableTaskENI -or $AwsvpcBlockIMDS -or $AwsvpcAdditionalLocalRoutes) {
        Write-Warning 'Tasks get no network interfaces of their own in this version: nothing comes of settings for them.'
    }
    $address = if ($EnableTaskIAMRole) { 'true' } else { 'false' }
    Set-MachineVariable -Name 'BERTH_TASK_ADDRESS' -Value $address
    Invoke-Berth -Arguments @('service', 'install', '--start', $StartupType)
    if ($StartupType -ne 'disabled') {
        # A service that runs has the settings of its start.
        Invoke-Berth -Arguments @('service', 'stop')
        Invoke-Berth -Arguments @('service', 'start')
    }
    if ($EnableTaskIAMRole) {
        # Docker makes the adapter when it starts, which on a new host may be later than this.
        try {
            Invoke-Berth -Arguments @('host', 'setup')
        } catch {
            Write-Warning "Containers have no way to the agent yet: $_. The agent sets it up itself when Docker is there."
        }
    }
}

function Remove-ECSAgent {
    # Stops and removes the service and what it changed on this host. Tasks go on; data, log
    # and settings stay.
    [CmdletBinding(SupportsShouldProcess)]
    param()
    if ($PSCmdlet.ShouldProcess('AmazonECS', 'remove the service')) {
        Invoke-Berth -Arguments @('service', 'uninstall')
        Invoke-Berth -Arguments @('host', 'clean')
    }
}

Export-ModuleMember -Function 'Initialize-ECSAgent', 'Remove-ECSAgent'
